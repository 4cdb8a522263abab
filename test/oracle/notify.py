#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What weir sends to channels, held against those who receive it: notify.py WEIR

A real Alertmanager (Debian's package, unpacked into build/, never installed) takes an alert; the released standardwebhooks library
(PyPI) verifies a signature; an SMTP server takes an e-mail; Slack's and PagerDuty's requests are checked field by field. Where a package cannot be
had, its part is skipped, with the reason. Last line: 'N passed, N failed', and ', N skipped' then.
"""
import asyncio
import base64
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))
from packages import fetch, python_with, unpack
from processes import ROOT, Process, free_port, http_json, to_yaml

BUILD = ROOT / "build"
ALERTMANAGER = BUILD / "alertmanager"
VENV = BUILD / "webhooks-venv"
WEBHOOKS = "standardwebhooks==1.0.0"
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
ROUTING_KEY = "0123456789abcdef0123456789abcdef"


class Recorder(ThreadingHTTPServer):
    """Keeps what it is sent; answers as the path says: /STATUS/BODY."""

    def __init__(self):
        self.requests = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, dict(self.headers.items()), body))
        _, status, answer = (self.path.split("/", 2) + [""])[:3]
        self.send_response(int(status))
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments):
        pass


class Mailbox:
    """An SMTP server that takes one message at a time and keeps it."""

    def __init__(self):
        self.messages, self.port = [], free_port()
        started = threading.Event()

        async def run():
            server = await asyncio.start_server(self.talk, "127.0.0.1", self.port)
            started.set()
            await server.serve_forever()
        threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
        started.wait(10)

    async def talk(self, reader, writer):
        commands = []

        async def say(line):
            writer.write(line.encode() + b"\r\n")
            await writer.drain()
        await say("220 mailbox")
        while line := (await reader.readline()).decode().strip():
            commands.append(line)
            word = line.split()[0].upper()
            if word == "DATA":
                await say("354 go on")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    data += await reader.readline()
                self.messages.append((commands, data[:-5].decode()))
                await say("250 taken")
            elif word == "QUIT":
                await say("221 bye")
                break
            else:
                await say("550 no such receiver" if "nobody@" in line else "250 fine")
        writer.close()


class Test:
    def __init__(self, weir, directory):
        self.weir, self.directory = weir, directory
        self.passed = self.failed = self.skipped = 0

    def true(self, name, condition, detail=""):
        self.passed += bool(condition)
        self.failed += not condition
        if not condition:
            print(f"FAILED {name}: {detail}", file=sys.stderr)

    def skip(self, reason):
        self.skipped += 1
        print(f"skipped: {reason}", file=sys.stderr)

    def send(self, channel, env=None):
        """weir alert test, of one channel: its status, its JSON, and what it said."""
        config = self.directory / "weir.yaml"
        config.write_text(to_yaml({"alerts": {"channels": {"ops": channel}}}))
        done = subprocess.run([self.weir, "alert", "test", "ops", "--config", config, "--json"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, env={**os.environ, **(env or {})})
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def slack(test, recorder, base):
    status, report, said = test.send({"kind": "slack", "url": "env:HOOK"}, {"HOOK": f"{base}/200/ok"})
    test.true("slack takes it", status == 0 and report["delivered"], said)
    _, headers, body = recorder.requests[-1]
    message = json.loads(body)
    test.true("slack: JSON, fallback and blocks", headers["Content-Type"] == "application/json" and message["text"]
              and [block["type"] for block in message["blocks"]] == ["header", "section"], message)
    for answer, word in [("404/no_service", "no_service"), ("400/invalid_payload", "invalid_payload"), ("200/<html>", "200")]:
        status, report, said = test.send({"kind": "slack", "url": "env:HOOK"}, {"HOOK": f"{base}/{answer}"})
        test.true(f"slack answers {answer}", status == 3 and not report["delivered"] and word in report["why"], (status, report))
        test.true(f"slack answers {answer}: the address stays secret", base not in said + json.dumps(report), said)


def pagerduty(test, recorder, base):
    status, _, said = test.send({"kind": "pagerduty", "url": f"{base}/202/{{}}", "secrets": ["env:KEY"]}, {"KEY": ROUTING_KEY})
    event = json.loads(recorder.requests[-1][2])
    test.true("pagerduty takes it", status == 0, said)
    test.true("pagerduty: the event", event["routing_key"] == ROUTING_KEY and event["event_action"] == "trigger"
              and len(event["dedup_key"]) <= 255 and event["payload"]["severity"] == "info" and event["payload"]["source"]
              and event["payload"]["summary"], event)


def webhook(test, recorder, base):
    status, _, said = test.send({"kind": "webhook", "url": f"{base}/204/", "secrets": ["env:KEY"]}, {"KEY": WHSEC})
    _, headers, body = recorder.requests[-1]
    test.true("webhook takes it", status == 0, said)
    message = json.loads(body)
    test.true("webhook: Alertmanager's version 4", message["version"] == "4" and message["alerts"][0]["labels"]["alertname"] == "test", message)
    python, reason = python_with(VENV, WEBHOOKS)
    if reason:
        return test.skip(reason)
    verify = ("import json, sys; from standardwebhooks import Webhook; h, b, s = json.load(sys.stdin); Webhook(s).verify(b, h)")
    given = {name: value for name, value in headers.items()}
    for name, text, want in [("the signature verifies", body.decode(), 0), ("another body does not", body.decode() + " ", 1)]:
        done = subprocess.run([python, "-c", verify], input=json.dumps([given, text, WHSEC]), text=True, capture_output=True)
        test.true(f"webhook: {name}", (done.returncode != 0) == want, done.stderr)


def alertmanager(test):
    program, reason = unpack("prometheus-alertmanager", ALERTMANAGER, "usr/bin/prometheus-alertmanager")
    if reason:
        return test.skip(reason)
    port = free_port()
    config = test.directory / "alertmanager.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    # Debian's build reads one template from /usr/share: the package's own is put there for this process alone.
    templates = ALERTMANAGER / "usr/share/prometheus"
    inside = f"mount -t tmpfs none /usr/share && cp -r {templates} /usr/share/ && exec \"$@\""
    if reason := fetch(["unshare", "-rm", "sh", "-c", inside, "sh", "true"]):
        return test.skip(reason)
    process = Process(["unshare", "-rm", "sh", "-c", inside, "sh", program, f"--config.file={config}", f"--storage.path={test.directory / 'am'}", f"--web.listen-address=127.0.0.1:{port}",
                       "--cluster.listen-address="], test.directory / "alertmanager.log")
    try:
        process.wait_for(f"http://127.0.0.1:{port}/-/ready")
        status, _, said = test.send({"kind": "alertmanager", "url": f"http://127.0.0.1:{port}"})
        test.true("a real Alertmanager takes it", status == 0, said)
        until, alerts = time.monotonic() + 20, []
        while not alerts and time.monotonic() < until:
            alerts = http_json(f"http://127.0.0.1:{port}/api/v2/alerts")[1]
            time.sleep(0.1)
        test.true("a real Alertmanager shows it", alerts and alerts[0]["labels"]["alertname"] == "test"
                  and alerts[0]["annotations"]["summary"], alerts)
    finally:
        process.stop()


def email(test):
    mailbox = Mailbox()
    channel = {"kind": "email", "url": f"smtp://127.0.0.1:{mailbox.port}", "from": "weir@example.org", "to": ["ops@example.org", "on-call@example.org"]}
    status, _, said = test.send(channel)
    test.true("a mail server takes it", status == 0 and len(mailbox.messages) == 1, said)
    if mailbox.messages:
        commands, text = mailbox.messages[0]
        test.true("e-mail: envelope", [c for c in commands if c.startswith(("MAIL", "RCPT"))] ==
                  ["MAIL FROM:<weir@example.org>", "RCPT TO:<ops@example.org>", "RCPT TO:<on-call@example.org>"], commands)
        test.true("e-mail: head and text", "Subject: [FIRING] test\r\n" in text and "To: ops@example.org, on-call@example.org\r\n" in text
                  and "this is a test of the channel" in text, text)
    status, report, _ = test.send({**channel, "to": ["nobody@example.org"]})
    test.true("a refused receiver is no delivery", status == 3 and "550" in report["why"], report)


def main(weir):
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "oracle-notify.lock", "w") as lock, tempfile.TemporaryDirectory(prefix="weir-notify-") as directory:
        fcntl.flock(lock, fcntl.LOCK_EX)  # both builds' tests may run at once
        test = Test(weir, pathlib.Path(directory))
        recorder = Recorder()
        base = f"http://127.0.0.1:{recorder.server_port}"
        slack(test, recorder, base)
        pagerduty(test, recorder, base)
        webhook(test, recorder, base)
        alertmanager(test)
        email(test)
    print(f"{test.passed} passed, {test.failed} failed" + (f", {test.skipped} skipped" if test.skipped else ""))
    return test.failed > 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
