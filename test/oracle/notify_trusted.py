# SPDX-License-Identifier: Apache-2.0
"""Part of notify.py: a real Alertmanager (Debian's package, unpacked into build/, never installed) takes weir's alert, and passes it
on to Slack, PagerDuty and a webhook; what it sends is held against what weir itself sends about the same alert.

What differs, and why:
  - Slack: it writes attachments, the older form; weir writes blocks. Only the request is compared.
  - PagerDuty: its dedup_key is the hash of its group's key, weir's the alert's fingerprint (weir sends one event an alert). It always
    writes links and images, null when there are none. timestamp and what is in custom_details are each sender's own.
  - Webhook: receiver, externalURL and fingerprint are each sender's own; times may be written with fewer digits.
"""
import time

from notify_kit import ROUTING_KEY, WHSEC, Process, Recorder, free_port, http_json, to_yaml
from packages import BUILD, tried, unpack

ALERTMANAGER = BUILD / "alertmanager"


class Alertmanager:
    """One that runs, and passes what it is sent on to a recorder: /200/ok, /v2/enqueue and /204/."""

    def __init__(self, program, directory):
        # Debian's build reads one template from /usr/share: the package's own is put there for this process alone.
        inside = f"mount -t tmpfs none /usr/share && cp -r {ALERTMANAGER / 'usr/share/prometheus'} /usr/share/ && exec \"$@\""
        self.command = ["unshare", "-rm", "sh", "-c", inside, "sh"]
        self.program, self.directory = program, directory
        self.recorder = Recorder()

    def cannot(self):
        return tried([*self.command, "true"])

    def start(self):
        base, port = self.recorder.base, free_port()
        self.url = f"http://127.0.0.1:{port}"
        receiver = {"name": "trusted",
                    "slack_configs": [{"api_url": f"{base}/200/ok", "channel": "#ops", "send_resolved": True}],
                    "pagerduty_configs": [{"url": f"{base}/v2/enqueue", "routing_key": ROUTING_KEY, "send_resolved": True,
                                           "severity": "{{ .CommonLabels.severity }}", "component": "gateway", "class": "{{ .CommonLabels.alertname }}",
                                           "group": "{{ .CommonLabels.arm }}", "client": "weir", "client_url": "http://h/#alerts",
                                           "links": [{"href": "http://h/#alerts", "text": "evidence"}]}],
                    "webhook_configs": [{"url": f"{base}/204/", "send_resolved": True}]}
        config = self.directory / "alertmanager.yml"
        config.write_text(to_yaml({"route": {"receiver": "trusted", "group_by": ["alertname", "arm"], "group_wait": "50ms",
                                             "group_interval": "500ms"}, "receivers": [receiver]}))
        self.process = Process([*self.command, self.program, f"--config.file={config}", f"--storage.path={self.directory / 'am'}",
                                f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], self.directory / "alertmanager.log")
        self.process.wait_for(f"{self.url}/-/ready")

    def sends(self, count):
        """What it has sent, once that is `count` requests: {path: request}, of the newest three."""
        return {request.path: request for request in self.recorder.wait_for(count)[-3:]}


# ---- shapes ----

def shape(value, path="", own=()):
    """{path: kind of JSON value}, lists by their elements; nothing below the paths in own."""
    found = {path: type(value).__name__}
    if path in own:
        return found
    if isinstance(value, dict):
        for key, item in value.items():
            found |= shape(item, f"{path}.{key}", own)
    elif isinstance(value, list):
        for item in value:
            found |= shape(item, f"{path}[]", own)
    return found


def without(value, names):
    if isinstance(value, dict):
        return {key: without(item, names) for key, item in value.items() if key not in names}
    return [without(item, names) for item in value] if isinstance(value, list) else value


def same_webhook(test, case, ours, theirs):
    for message in (ours, theirs):
        message["alerts"].sort(key=lambda alert: alert["labels"]["domain"])
    own = {"receiver", "externalURL", "fingerprint", "startsAt", "endsAt"}
    test.true(f"webhook {case}: the same keys and kinds of values as Alertmanager's", shape(ours) == shape(theirs), (ours, theirs))
    test.true(f"webhook {case}: the same values", without(ours, own) == without(theirs, own), (ours, theirs))
    for our, their in zip(ours["alerts"], theirs["alerts"]):
        for name in ("startsAt", "endsAt"):
            test.true(f"webhook {case}: {name}", our[name].split(".")[0].rstrip("Z") == their[name].split(".")[0].rstrip("Z"), (our, their))
    renamed = {("x" + key if key == "groupKey" else key): item for key, item in ours.items()}
    test.true("webhook: a renamed key is seen", shape(renamed) != shape(theirs))


def same_event(test, case, ours, theirs):
    own = (".payload.custom_details",)
    our, their = shape(ours, own=own), shape(theirs, own=own)
    only_ours = set(our) - set(their)
    only_theirs = {path for path in set(their) - set(our) if their[path] != "NoneType"}
    test.true(f"pagerduty {case}: what weir alone sends", only_ours == {".payload.timestamp"}, only_ours)
    test.true(f"pagerduty {case}: what Alertmanager alone sends", only_theirs == set(), only_theirs)
    test.true(f"pagerduty {case}: the kinds of values", all(our[path] == their[path] for path in our if path in their), (ours, theirs))
    for path in ("routing_key", "event_action", "client", "client_url", "links"):
        test.true(f"pagerduty {case}: {path}", ours[path] == theirs[path], (ours, theirs))
    for path in ("severity", "component", "group", "class"):
        test.true(f"pagerduty {case}: {path}", ours["payload"][path] == theirs["payload"][path], (ours, theirs))


def compare(test, manager):
    """Firing, then resolved: weir's alert goes through Alertmanager, and beside it straight to a recorder."""
    start, sent = int(time.time()) - 60, 0
    for case in ("firing", "resolved"):
        test.drive(manager.url, "alertmanager", case, start)
        sent += 3
        theirs = manager.sends(sent)
        if not test.true(f"Alertmanager passes {case} on", set(theirs) == {"/200/ok", "/v2/enqueue", "/204/"}, manager.process.output()):
            return
        own = Recorder()
        test.drive(f"{own.base}/200/ok", "slack", case, start)
        test.drive(f"{own.base}/v2/enqueue", "pagerduty", case, start, ROUTING_KEY)
        test.drive(f"{own.base}/204/", "webhook", case, start, WHSEC)
        ours = {request.path: request for request in own.requests}
        for path, request in ours.items():
            test.true(f"{path} {case}: the kind of content", request.headers["content-type"] == theirs[path].headers["content-type"], theirs[path])
        same_event(test, case, ours["/v2/enqueue"].json(), theirs["/v2/enqueue"].json())
        same_webhook(test, case, ours["/204/"].json(), theirs["/204/"].json())
    # Two alerts of a group, in one message: what they have in common. PagerDuty is told of them one by one.
    test.drive(manager.url, "alertmanager", "two", start)
    theirs = manager.sends(sent + 3)
    own = Recorder()
    test.drive(f"{own.base}/204/", "webhook", "two", start, WHSEC)
    same_webhook(test, "two", own.requests[0].json(), theirs["/204/"].json())


def check(test):
    program, reason = unpack("prometheus-alertmanager", ALERTMANAGER, "usr/bin/prometheus-alertmanager")
    if reason:
        return test.skip(reason)
    manager = Alertmanager(program, test.directory)
    if reason := manager.cannot():
        return test.skip(reason)
    try:
        manager.start()
        compare(test, manager)
        status, _, said = test.send({"kind": "alertmanager", "url": manager.url})
        test.true("a real Alertmanager takes a test", status == 0, said)
        until, alerts = time.monotonic() + 20, []
        while not alerts and time.monotonic() < until:
            alerts = [alert for alert in http_json(f"{manager.url}/api/v2/alerts")[1] if alert["labels"]["alertname"] == "test"]
            time.sleep(0.1)
        test.true("a real Alertmanager shows it", alerts and alerts[0]["annotations"]["summary"], alerts)
    finally:
        manager.process.stop()
