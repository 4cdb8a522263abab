// SPDX-License-Identifier: Apache-2.0
// Asks GrowthBook's SDK: {hashes: [{seed, unit}], experiments: [{id, count, coverage, units}]} on stdin, answers on stdout.
// An arm is -1 where the unit is in none.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { GrowthBook } = createRequire(process.cwd() + "/")("@growthbook/growthbook");
const asked = JSON.parse(readFileSync(0, "utf8"));

function run(unit, experiment) {
  const growthbook = new GrowthBook({ attributes: { id: unit } });
  const result = growthbook.run({ hashVersion: 2, hashAttribute: "id", ...experiment });
  growthbook.destroy();
  return result;
}

const hashes = asked.hashes.map(({ seed, unit }) => run(unit, { key: "k", seed, variations: [0, 1] }).bucket);
const experiments = asked.experiments.map(({ id, count, coverage, units }) =>
  units.map((unit) => {
    const result = run(unit, { key: id, coverage, variations: Array.from({ length: count }, (_, i) => i) });
    return result.inExperiment ? result.variationId : -1;
  }));
console.log(JSON.stringify({ hashes, experiments }));
