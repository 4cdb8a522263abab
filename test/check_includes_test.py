#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trees with one thing wrong each, and what tools/check-includes says of them. Last line: 'N passed, N failed'."""
import pathlib
import subprocess
import sys
import tempfile

CHECK = pathlib.Path(__file__).resolve().parent.parent / "tools" / "check-includes"

GOOD = {
    "base/base.h": "/* base */\n",
    "core/json/json.h": "/*\n * json: a reader.\n *\n * May include: base.\n */\n#include \"base/base.h\"\n",
    "core/money/money.h": "/* May include: base, core/json. */\n#include \"core/json/json.h\"\n",
    "edge/world/world.h": "/* May include: base. */\n",
    "edge/world/world.c": "#include <uv.h>\n#include <stdio.h>\n#include \"edge/world/world.h\"\n",
    "edge/store/store.h": "/*\n * May include: base,\n * core/money, edge/world.\n */\n#include \"core/money/money.h\"\n",
    "edge/store/store_test.c": "#include \"test/check.h\"\n#include \"edge/store/store_world.h\"\n",
    "edge/store/store_world.h": "#include \"test/check.h\"\n",
    "app/cli/cli.h": "/* May include: edge/store. */\n#include \"edge/store/store.h\"\n",
    "main.c": "#include \"app/cli/cli.h\"\n",
}

# name: files added or replaced; parts of what is said, none for nothing wrong
CASES = {
    "good": ({}, []),
    "upwards": ({"core/json/json.c": "\n#include \"edge/world/world.h\"\n"}, ["src/core/json/json.c:2: core/json must not", "higher floor"]),
    "base upwards": ({"base/base.c": "#include \"core/json/json.h\"\n"}, ["src/base/base.c:1:", "higher floor"]),
    "edge to app": ({"edge/store/a.c": "#include \"app/cli/cli.h\"\n"}, ["higher floor"]),
    "not on the list": ({"edge/store/a.c": "#include \"core/json/json.h\"\n"}, ["core/json is not on that list"]),
    "sideways, not on the list": ({"core/json/a.c": "#include \"core/money/money.h\"\n"}, ["core/money is not on that list"]),
    "list over two lines": ({"edge/store/a.c": "#include \"edge/world/world.h\"\n"}, []),
    "no list": ({"core/sim/sim.c": "#include \"core/json/json.h\"\n"}, ["none of its headers says"]),
    "no list, base only": ({"core/sim/sim.c": "#include \"base/base.h\"\n"}, []),
    "a list below the code does not count": (
        {"core/sim/sim.h": "#include \"core/json/json.h\"\n/* May include: core/json. */\n"}, ["none of its headers says"]),
    "vendor elsewhere": ({"edge/store/a.c": "#include <uv.h>\n"}, ["<uv.h> belongs to edge/world and edge/net"]),
    "vendor by quotes": ({"core/json/a.c": "#include \"sqlite3.h\"\n"}, ["<sqlite3.h> belongs to edge/store"]),
    "vendor with a folder": ({"edge/world/a.c": "#include <openssl/ssl.h>\n"}, ["belongs to edge/net"]),
    "vendor, spaced": ({"edge/world/a.c": "  #  include <curl/curl.h>\n"}, ["src/edge/world/a.c:1:", "edge/upstream"]),
    "cJSON in code": ({"core/json/a.c": "#include <cjson/cJSON.h>\n"}, ["for tests only"]),
    "cJSON in a test": ({"core/json/a_fuzz.c": "#include <cjson/cJSON.h>\n"}, []),
    "check.h in code": ({"core/json/a.c": "#include \"test/check.h\"\n"}, ["for tests only"]),
    "a test's header in code": ({"edge/store/a.c": "#include \"edge/store/store_world.h\"\n"}, ["for tests only"]),
    "a test's header in a test's header": ({"edge/store/more_test.h": "#include \"edge/store/store_world.h\"\n"}, []),
    "a test's header by its name, in code": (
        {"edge/store/more_test.h": "/* more */\n", "edge/store/a.c": "#include \"edge/store/more_test.h\"\n"}, ["for tests only"]),
    "relative": ({"core/json/a.c": "#include \"json.h\"\n"}, ["includes start at src"]),
    "missing": ({"core/json/a.c": "#include \"nowhere.h\"\n"}, ["is not in src"]),
    "generated, own": ({"core/json/a.c": "#include \"core/json/json_table.inc.h\"\n"}, []),
    "generated, another's": ({"core/json/a.c": "#include \"core/money/prices.inc.h\"\n"}, ["is not in src"]),
    "no floor": ({"util/a.c": "#include <stdio.h>\n"}, ["src/util/a.c:1:", "on no floor"]),
}


def run(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            file = pathlib.Path(root, "src", path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        done = subprocess.run([sys.executable, CHECK, root], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


def main():
    failed = 0
    for name, (extra, wanted) in CASES.items():
        status, said, errors = run({**GOOD, **extra})
        lines = said.splitlines()
        ok = not errors and (all(part in said for part in wanted) and len(lines) == 1 and status == 1 if wanted
                             else said == "" and status == 0)
        if not ok:
            failed += 1
            print(f"FAILED {name}: status {status}, said {said!r} {errors}", file=sys.stderr)
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
