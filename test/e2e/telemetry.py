#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exporters whose endpoints are down, slow, or say no: nothing of it reaches a request; memory stays bounded and what is lost is counted: telemetry.py WEIR"""
import os
import threading
import time
import urllib.request

import harness
from processes import free_port
from recorder import Recorder

LANGSMITH_KEY = "lsv2_pt_fedcba9876543210"
WANDB_KEY = "fedcba9876543210fedcba9876543210fedcba98"
EXPORTERS = ("otlp", "langsmith", "wandb")


def metrics(gateway):
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=10) as answer:
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in answer.read().decode().splitlines() if line[0] != "#"}


def counted(gateway, what, exporter):
    return metrics(gateway).get(f'weir_export_{what}{{exporter="{exporter}"}}')


def everywhere(url, **telemetry):
    """All exporters to one endpoint."""
    return {"monitoring": {"langsmith_enabled": True, "wandb_enabled": True},
            "langsmith": {"endpoint": url, "api_key": "env:WEIR_E2E_LANGSMITH"}, "wandb": {"endpoint": url, "api_key": "env:WEIR_E2E_WANDB"},
            "otlp": {"endpoint": url, "metrics": True},
            "telemetry": {"interval_seconds": 0.05, "metrics_interval_seconds": 0.2, "timeout_seconds": 1, "traces_per_second_max": 100000, **telemetry}}


def taking(request):
    """What every endpoint says when all is well."""
    if request.path == "/graphql":
        return 200, {}, {"data": {"upsertBucket": {"bucket": {"name": "r", "project": {"name": "p", "entity": {"name": "e"}}}}}}
    return 200, {}, b"" if "/v1/" in request.path else {}


def asks(gateway, count, threads=8):
    """Statuses and the slowest answer's seconds."""
    statuses, slowest, lock = [], [0.0], threading.Lock()

    def ask(share):
        for i in range(share):
            started = time.monotonic()
            status = gateway.chat(harness.MODEL, f"What is {i}?").status
            with lock:
                statuses.append(status)
                slowest[0] = max(slowest[0], time.monotonic() - started)
    workers = [threading.Thread(target=ask, args=(count // threads,)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return statuses, slowest[0]


def resident(gateway):
    with open(f"/proc/{gateway.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def bad_endpoints(checks, world):
    """No request waits or fails, whatever an endpoint does; what is lost is counted; the end comes."""
    upstream = world.upstream("echo")
    stalling, refusing, limiting = Recorder(lambda _: None), Recorder(lambda _: (400, {}, {})), Recorder(lambda _: (429, {"retry-after": "3600"}, {}))
    large = Recorder(lambda request: taking(request) if request.path in ("/graphql", "/info") else (413, {}, {}))
    garbage = Recorder(lambda _: (200, {}, b"\xff\xfe{" * 100))
    ways = {"down": f"http://127.0.0.1:{free_port()}", "stalling": stalling.url, "400": refusing.url, "429": limiting.url, "413": large.url, "garbage": garbage.url}
    for name, url in ways.items():
        gateway = world.gateway(upstream, everywhere(url, queue_max=16))
        statuses, _ = asks(gateway, 160)
        checks.equal(f"{name}: every question is answered", statuses, [200] * 160)
        if name != "garbage":  # which OTLP must take for success
            for exporter in ("otlp", "langsmith"):
                checks.true(f"{name}: {exporter} counts what it lost", harness.wait_until(lambda: counted(gateway, "dropped_total", exporter) > 0))
                checks.equal(f"{name}: {exporter} sent nothing", counted(gateway, "sent_total", exporter), 0)
                checks.true(f"{name}: {exporter}: the queue is bounded", counted(gateway, "queue_traces", exporter) <= 16)
                checks.true(f"{name}: {exporter}: failures are counted", harness.wait_until(lambda: counted(gateway, "failures_total", exporter) > 0))
        started = time.monotonic()
        checks.equal(f"{name}: it ends", gateway.stop(), 0)
        checks.true(f"{name}: no secret in the log", not any(key in gateway.log.read_text() for key in (LANGSMITH_KEY, WANDB_KEY)))
        said = gateway.log.read_text().count("telemetry_failed")
        checks.true(f"{name}: one line for each exporter that fails", said <= len(EXPORTERS), said)
        print(f"{name}: ended {time.monotonic() - started:.1f} s after it was told to")
        status, ledger, _ = gateway.verify()
        checks.equal(f"{name}: the ledger is whole", (status, ledger["rows"]), (0, 160))
    for recorder in (stalling, refusing, limiting, large, garbage):
        recorder.close()


def memory(checks, world):
    """A queue of large traces to an endpoint that never answers."""
    stalling = Recorder(lambda _: None)
    gateway = world.gateway(world.upstream("echo"), everywhere(stalling.url, capture_content=True, queue_max=100000, queue_max_bytes=1 << 20, timeout_seconds=60))
    for i in range(20):
        gateway.chat(harness.MODEL, "x" * 15000)
    before = resident(gateway)
    for i in range(300):
        gateway.chat(harness.MODEL, "x" * 15000)
    grown = resident(gateway) - before
    # 300 traces of 60 KB each are 18 MB for each of two exporters, of which 1 MiB may wait and one batch may be under way.
    if "sanitized" not in world.arguments:
        checks.true("memory is bounded by bytes", grown < 12, f"{grown:.1f} MiB")
    dropped = {exporter: counted(gateway, "dropped_total", exporter) for exporter in ("otlp", "langsmith")}
    checks.true("and the oldest are dropped", all(200 < count < 320 for count in dropped.values()), dropped)
    checks.equal("it ends", gateway.stop(), 0)
    stalling.close()


def recovers(checks, world):
    """What fails for a while goes on by itself."""
    down = {"is": True}
    recorder = Recorder(lambda request: (503, {"retry-after": "0"}, {}) if down["is"] else taking(request))
    gateway = world.gateway(world.upstream("echo"), everywhere(recorder.url))
    gateway.chat(harness.MODEL, "Hi")
    harness.wait_until(lambda: all(counted(gateway, "failures_total", exporter) > 0 for exporter in EXPORTERS))
    down["is"] = False
    for exporter in EXPORTERS:
        checks.true(f"{exporter} goes on", harness.wait_until(lambda: counted(gateway, "sent_total", exporter) > 0))
    for exporter in ("otlp", "langsmith"):
        checks.equal(f"{exporter} lost nothing", (counted(gateway, "sent_total", exporter), counted(gateway, "dropped_total", exporter)), (1, 0))
    log = gateway.log.read_text()
    checks.equal("it says so once", (log.count("telemetry_failed"), log.count("telemetry_recovered")), (3, 3))
    gateway.stop()
    recorder.close()


def sampling(checks, world):
    """A share by trace id; what failed always."""
    recorder = Recorder(taking)
    gateway = world.gateway(world.upstream("echo"), {"otlp": {"endpoint": recorder.url}, "telemetry": {"sample": "25%", "interval_seconds": 0.05, "queue_max": 10000, "traces_per_second_max": 100000}})
    asks(gateway, 400)
    harness.wait_until(lambda: counted(gateway, "queue_traces", "otlp") == 0)
    sent = counted(gateway, "sent_total", "otlp")
    checks.true("a quarter", 60 < sent < 140, sent)
    gateway.stop()
    broken = world.gateway(free_port(), {"otlp": {"endpoint": recorder.url}, "telemetry": {"sample": "0%", "interval_seconds": 0.05}}, ready=False)
    for _ in range(5):
        broken.chat(harness.MODEL, "Hi")
    checks.true("failures whatever the share", harness.wait_until(lambda: counted(broken, "sent_total", "otlp") == 5))
    broken.stop()
    quiet = world.gateway(world.upstream("echo"))
    quiet.chat(harness.MODEL, "Hi")
    checks.true("nothing is exported without a word", not any("export" in name for name in metrics(quiet)))
    quiet.stop()
    recorder.close()


def secrets(checks, world):
    """No secret of the configuration leaves in a prompt, whichever of a provider's keys it is."""
    recorder, upstream = Recorder(taking), world.upstream("echo")
    provider = {"base_url": f"http://127.0.0.1:{upstream.port}/v1", "api_keys": ["env:WEIR_E2E_PROVIDER_KEY", "env:WEIR_E2E_KEY_A"]}
    gateway = world.gateway(upstream, {**everywhere(recorder.url, capture_content=True), "providers": {"test": provider},
                                       "server": {"admin_key": "env:WEIR_E2E_KEY_B"}})
    known = [harness.PROVIDER_KEY, *harness.KEYS.values(), LANGSMITH_KEY, WANDB_KEY]
    gateway.chat(harness.MODEL, "".join(f"x{key}x" for key in known))
    checks.true("the trace is sent", harness.wait_until(lambda: all(counted(gateway, "sent_total", name) == 1 for name in ("otlp", "langsmith"))))
    gateway.stop()
    bodies = b"".join(request.body for request in recorder.requests)
    checks.true("with what was asked", b"x[redacted]x" in bodies)
    for key in known:
        checks.true(f"without {key}", key.encode() not in bodies)
    recorder.close()


def pace(checks, world):
    """Much traffic is sampled, so that exporting it costs the same; failures are not."""
    recorder = Recorder(taking)
    limit = 20
    gateway = world.gateway(world.upstream("echo"), {"otlp": {"endpoint": recorder.url},
                                                     "telemetry": {"interval_seconds": 0.05, "queue_max": 100000, "traces_per_second_max": limit}})
    checks.equal("all are sampled as long as they are few", metrics(gateway)["weir_export_sample_ratio"], 1)
    started, asked = time.monotonic(), 0
    while time.monotonic() - started < 4:
        asked += len(asks(gateway, 80)[0])
    seconds = time.monotonic() - started
    ratio = metrics(gateway)["weir_export_sample_ratio"]
    harness.wait_until(lambda: counted(gateway, "queue_traces", "otlp") == 0)
    sent = counted(gateway, "sent_total", "otlp")
    # The first second is exported whole; from then on about as many as may be.
    checks.true("then about so many a second", 0 < ratio < 4 * limit / (asked / seconds) and sent < asked / seconds + 4 * limit * seconds,
                (ratio, asked, seconds, sent))
    gateway.stop()
    checks.true("and says for how many one stands", any(b"ot=th:" in request.body for request in recorder.requests))
    recorder.close()


def large_batches(checks, world):
    """An endpoint that takes little at a time gets little at a time."""
    limit = 2500
    recorder = Recorder(lambda request: (413, {}, {}) if len(request.body) > limit else taking(request))
    gateway = world.gateway(world.upstream("echo"), {"otlp": {"endpoint": recorder.url}, "telemetry": {"interval_seconds": 0.5, "traces_per_second_max": 100000}})
    asks(gateway, 64)
    checks.true("all of them in the end", harness.wait_until(lambda: counted(gateway, "sent_total", "otlp") == 64))
    checks.equal("none dropped", counted(gateway, "dropped_total", "otlp"), 0)
    gateway.stop()
    recorder.close()


def partial(checks, world):
    """What was taken in part is not sent again."""
    recorder = Recorder(lambda _: (200, {}, b"\x0a\x02\x08\x01"))
    gateway = world.gateway(world.upstream("echo"), {"otlp": {"endpoint": recorder.url}, "telemetry": {"interval_seconds": 0.05}})
    gateway.chat(harness.MODEL, "Hi")
    checks.true("rejected spans are counted", harness.wait_until(lambda: counted(gateway, "rejected_total", "otlp") == 1))
    gateway.stop()
    checks.equal("and sent once", len(recorder.requests), 1)
    recorder.close()


def main(world, checks):
    os.environ.update(WEIR_E2E_LANGSMITH=LANGSMITH_KEY, WEIR_E2E_WANDB=WANDB_KEY)
    bad_endpoints(checks, world)
    memory(checks, world)
    recovers(checks, world)
    sampling(checks, world)
    secrets(checks, world)
    pace(checks, world)
    large_batches(checks, world)
    partial(checks, world)


if __name__ == "__main__":
    harness.run(main)
