#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What weir sends to channels, held against those who receive it: notify.py WEIR DRIVER

Here: `weir alert test` to Slack, PagerDuty, a webhook whose signature the released standardwebhooks library (PyPI) verifies, and an
SMTP server. notify_sdks.py holds the bytes against the SDKs of npm, notify_trusted.py against a real Alertmanager. Where a
package cannot be had, its part is skipped, with the reason. Last line: 'N passed, N failed', and ', N skipped' then.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import notify_sdks
import notify_trusted
from notify_kit import ROUTING_KEY, WHSEC, Mailbox, Recorder, Test
from packages import BUILD, held, python_with

WEBHOOKS = "standardwebhooks==1.0.0"


def slack(test, recorder, base):
    status, report, said = test.send({"kind": "slack", "url": "env:HOOK"}, {"HOOK": f"{base}/200/ok"})
    test.true("slack takes it", status == 0 and report["delivered"], said)
    request = recorder.requests[-1]
    message = request.json()
    test.true("slack: JSON, fallback and blocks", request.headers["content-type"] == "application/json" and message["text"]
              and [block["type"] for block in message["blocks"]] == ["header", "section"], message)
    for answer, word in [("404/no_service", "no_service"), ("400/invalid_payload", "invalid_payload"), ("200/<html>", "200")]:
        status, report, said = test.send({"kind": "slack", "url": "env:HOOK"}, {"HOOK": f"{base}/{answer}"})
        test.true(f"slack answers {answer}", status == 3 and not report["delivered"] and word in report["why"], (status, report))
        test.true(f"slack answers {answer}: the address stays secret", base not in said + json.dumps(report), said)


def pagerduty(test, recorder, base):
    status, _, said = test.send({"kind": "pagerduty", "url": f"{base}/202/{{}}", "secrets": ["env:KEY"]}, {"KEY": ROUTING_KEY})
    event = recorder.requests[-1].json()
    test.true("pagerduty takes it", status == 0, said)
    test.true("pagerduty: the event", event["routing_key"] == ROUTING_KEY and event["event_action"] == "trigger"
              and len(event["dedup_key"]) <= 255 and event["payload"]["severity"] == "info" and event["payload"]["source"]
              and event["payload"]["summary"], event)


def webhook(test, recorder, base):
    status, _, said = test.send({"kind": "webhook", "url": f"{base}/204/", "secrets": ["env:KEY"]}, {"KEY": WHSEC})
    request = recorder.requests[-1]
    test.true("webhook takes it", status == 0, said)
    message, text = request.json(), request.body.decode()
    test.true("webhook: Alertmanager's version 4", message["version"] == "4" and message["alerts"][0]["labels"]["alertname"] == "test", message)
    python, reason = python_with(BUILD / "webhooks-venv", WEBHOOKS)
    if reason:
        return test.skip(reason)
    verify = ("import json, sys; from standardwebhooks import Webhook; h, b, s = json.load(sys.stdin); Webhook(s).verify(b, h)")
    for name, given, want in [("the signature verifies", text, 0), ("another body does not", text + " ", 1)]:
        done = subprocess.run([python, "-c", verify], input=json.dumps([request.headers, given, WHSEC]), text=True, capture_output=True)
        test.true(f"webhook: {name}", (done.returncode != 0) == want, done.stderr)


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


def main(weir, driver):
    with held("oracle-notify"), tempfile.TemporaryDirectory(prefix="weir-notify-") as directory:
        test = Test(weir, driver, pathlib.Path(directory))
        recorder = Recorder()
        slack(test, recorder, recorder.base)
        pagerduty(test, recorder, recorder.base)
        webhook(test, recorder, recorder.base)
        email(test)
        notify_sdks.check(test)
        notify_trusted.check(test)
    print(f"{test.passed} passed, {test.failed} failed" + (f", {test.skipped} skipped" if test.skipped else ""))
    return test.failed > 0


if __name__ == "__main__":
    sys.exit(main(*map(os.path.abspath, sys.argv[1:3])))
