#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keys: created, listed and revoked while weir serves; what they may ask for; what is kept of them (requirement 32)."""
import json

import harness
from control_kit import admin
from harness import CLIENT_KEY, MODEL, completion


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def create(gateway, *options):
    """(JSON of the new key, the process) of weir key create."""
    done = gateway.command("key", "create", "--json", "--actor", "ada", "--reason", "a test", *options)
    return json.loads(done.stdout or "null"), done


def listed(gateway):
    return {key["id"]: key for key in json.loads(gateway.command("key", "list", "--json").stdout)["data"]}


def life_of_a_key(checks, world):
    gateway = world.gateway(world.script([{"body": completion()}]), {"models": {"gpt-4o": {"provider": "test"}}})
    checks.equal("open without keys", gateway.chat(MODEL, "Hi").status, 200)
    checks.equal("open, whatever is sent as a key", gateway.chat(MODEL, "Hi", bearer("sk-any")).status, 200)
    acme, done = create(gateway, "--tenant", "acme")
    checks.equal("create", done.returncode, 0)
    checks.true("its form", len(acme["key"]) == 54 and acme["key"].startswith(f"weir-{acme['id']}-"), acme)
    checks.error("closed to those without", gateway.chat(MODEL, "Hi"), 401)
    checks.error("closed to others", gateway.chat(MODEL, "Hi", bearer(acme["key"][:-1] + "x")), 401)
    checks.equal("open to it", gateway.chat(MODEL, "Hi", bearer(acme["key"])).status, 200)
    checks.equal("as x-api-key", gateway.chat(MODEL, "Hi", {"x-api-key": acme["key"]}).status, 200)
    checks.equal("health needs none", gateway.request("GET", "/healthz").status, 200)

    narrow, _ = create(gateway, "--tenant", "narrow", "--models", f"{MODEL},weir/direct", "--expires", "30d")
    checks.equal("a model on its list", gateway.chat(MODEL, "Hi", bearer(narrow["key"])).status, 200)
    checks.error("a model that is not", gateway.chat("weir/hrm_trm", "Hi", bearer(narrow["key"])), 403)
    checks.error("nor by another name", gateway.chat("weir/direct", "Hi", bearer(narrow["key"]), weir={"model": "gpt-4o"}), 403)

    models = gateway.request("GET", "/v1/models", headers=bearer(narrow["key"])).json["data"]
    checks.equal("models that it may ask for", [model["id"] for model in models], ["weir/direct", MODEL])

    keys = listed(gateway)
    checks.equal("list", [(k["tenant"], k["revoked"], k["models"]) for k in keys.values()],
                 [("acme", None, []), ("narrow", None, [MODEL, "weir/direct"])])
    checks.true("never the secret", acme["key"][14:] not in json.dumps(keys) and "key" not in keys[acme["id"]], keys)

    checks.equal("revoke", gateway.command("key", "revoke", acme["id"]).returncode, 0)
    checks.error("the next request", gateway.chat(MODEL, "Hi", bearer(acme["key"])), 401)
    checks.equal("twice is once", gateway.command("key", "revoke", acme["id"]).returncode, 0)
    checks.equal("nobody's", gateway.command("key", "revoke", "ffffffff").returncode, 2)
    at = listed(gateway)[acme["id"]]["revoked"]

    gateway.process.kill()
    gateway.start()
    checks.error("revoked after kill -9", gateway.chat(MODEL, "Hi", bearer(acme["key"])), 401)
    checks.equal("good after kill -9", gateway.chat(MODEL, "Hi", bearer(narrow["key"])).status, 200)
    checks.error("and as narrow as before", gateway.chat("weir/hrm_trm", "Hi", bearer(narrow["key"])), 403)
    checks.equal("remembered", listed(gateway)[acme["id"]]["revoked"], at)
    checks.equal("stops", gateway.stop(), 0)
    tenants = [row["tenant"] for row in gateway.rows() if row["result"] == "OK"]
    checks.equal("the ledger's tenants", tenants, ["", "", "acme", "acme", "narrow", "narrow"])
    files = [file.read_bytes() for file in gateway.ledger.iterdir()] + [gateway.log.read_bytes()]
    for key in (acme, narrow):
        checks.true("no secret on disk", not any(key["key"][14:].encode() in data for data in files))


def keys_of_the_configuration(checks, world):
    gateway = world.gateway(world.script([{"body": completion()}]), {"server": {"keys": ["env:WEIR_E2E_CLIENT_KEY"]}})
    checks.error("no key", gateway.chat(MODEL, "Hi"), 401)
    checks.equal("its key", gateway.chat(MODEL, "Hi", bearer(CLIENT_KEY)).status, 200)
    created, _ = create(gateway, "--tenant", "acme")
    checks.equal("beside a created one", (gateway.chat(MODEL, "Hi", bearer(CLIENT_KEY)).status,
                                         gateway.chat(MODEL, "Hi", bearer(created["key"])).status), (200, 200))
    checks.equal("revoke is the configuration's", gateway.command("key", "revoke", "key-1").returncode, 2)
    checks.equal("stops", gateway.stop(), 0)
    checks.equal("tenants", [row["tenant"] for row in gateway.rows() if row["result"] == "OK"], ["key-1", "key-1", "acme"])


def wrong_words(checks, world):
    gateway = world.gateway(world.script([{"body": completion()}]), start=False)
    checks.equal("nobody serves", gateway.command("key", "list").returncode, 3)
    gateway.start()
    for words, said in [(["create"], "--tenant"), (["create", "--tenant", "t", "--per", "day"], "--budget-usd"),
                        (["create", "--tenant", "t", "--budget-usd", "x"], "dollars"),
                        (["create", "--tenant", "t", "--budget-usd", "1", "--per", "year"], "month"),
                        (["create", "--tenant", "t", "--concurrent", "-1"], "integer"),
                        (["create", "--tenant", "t", "--expires", "soon"], "date"),
                        (["create", "--tenant", "t", "--expires", "2020-01-01"], "passed"),
                        (["create", "--tenant", "t" * 101], "100 bytes"), (["revoke"], "ID"), ([], "create"), (["delete"], "create")]:
        done = gateway.command("key", *words)
        checks.true(f"key {words}", done.returncode == 2 and said in done.stderr and done.stdout == "", done)
    for body in [{}, {"tenant": "t", "limits": [{"of": "euros"}]}, {"tenant": 3}]:
        answer = admin(gateway, "POST", "keys", body)
        checks.true(f"POST {body}", answer.status == 400, answer.body)
    checks.equal("unknown path", admin(gateway, "GET", "keys/x").status, 404)
    checks.equal("method", admin(gateway, "DELETE", "keys", {}).status, 405)
    done = gateway.command("key", "list")
    checks.true("an empty list says so", done.returncode == 0 and "everyone is let in" in done.stdout, done)


def main(world, checks):
    life_of_a_key(checks, world)
    keys_of_the_configuration(checks, world)
    wrong_words(checks, world)


if __name__ == "__main__":
    harness.run(main)
