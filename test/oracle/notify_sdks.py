# SPDX-License-Identifier: Apache-2.0
"""Part of notify.py: what weir sends beside what the released SDKs of npm send and declare.

@slack/webhook and @pagerduty/pdjs send what weir has sent to the same recorder: method, path, kind of content and JSON must be the
same. TypeScript checks weir's bodies against the SDKs' own types, and must refuse each body in which one key or one word is
changed. Slack's limits are read from the types' comments. standardwebhooks verifies signatures, also while secrets rotate.
"""
import copy
import json
import re
import subprocess

import time

from notify_kit import HERE, ROUTING_KEY, WHSEC, Recorder
from packages import BUILD, node_with

NODE = BUILD / "oracle-notify"
SDKS = ["@slack/webhook@8.0.2", "@slack/types@3.2.0", "@pagerduty/pdjs@2.2.4", "standardwebhooks@1.1.1", "typescript@5.9.2"]
OTHER_SECRET = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4"
PAGERDUTY_KEY_MAX, PAGERDUTY_SUMMARY_MAX, SLACK_BLOCKS_MAX = 255, 1024, 50

# Blocks are held against the known ones alone: the SDK's own type lets anything with a `type` pass beside them. client and client_url
# are PagerDuty's, and Alertmanager sends them (notify_trusted.py), but pdjs does not declare them.
PRELUDE = """\
import type { IncomingWebhookSendArguments } from '@slack/webhook';
import type { KnownBlock } from '@slack/types';
import type { ChangePayload, EventPayloadV2 } from '@pagerduty/pdjs/build/src/events';
type Slack = Omit<IncomingWebhookSendArguments, 'blocks'> & { blocks: KnownBlock[] };
type Event = EventPayloadV2 & { client?: string; client_url?: string };
type Change = ChangePayload;
"""
OPEN = "custom_details"  # any object; its keys are ours
WORDS = ("type", "event_action", "severity")  # one of a few


def sent_by_weir(test):
    """What weir sends in each situation: {(kind, case): requests}."""
    start, sent = int(time.time()) - 60, {}
    for kind, path, secrets, cases in [("slack", "/200/ok", [], ["firing", "resolved", "mixed", "change", "flood"]),
                                       ("pagerduty", "/v2/enqueue", [ROUTING_KEY], ["firing", "resolved", "mixed", "change", "flood"]),
                                       ("webhook", "/204/", [WHSEC, OTHER_SECRET], ["firing", "mixed", "flood"])]:
        for case in cases:
            recorder = Recorder()
            test.drive(recorder.base + path, kind, case, start, *secrets)
            sent[kind, case] = recorder.requests
    return sent


def bodies(sent, kind, cases):
    return [request for case in cases for request in sent[kind, case]]


# ---- the same requests ----

def media_type(request):
    return request.headers["content-type"].split(";")[0]


def same_requests(test, name, ours, theirs):
    """Their requests were made from our JSON: what differs, an SDK would do otherwise."""
    test.true(f"{name}: as many", len(ours) == len(theirs) > 0, (len(ours), len(theirs)))
    for our, their in zip(ours, theirs):
        test.true(f"{name}: the path", our.path == their.path, (our.path, their.path))
        test.true(f"{name}: the kind of content", media_type(our) == media_type(their), (our.headers, their.headers))
        test.true(f"{name}: the JSON", our.json() == their.json(), (our.body, their.body))


def sdks_send(test, sent):
    slack = bodies(sent, "slack", ["firing", "resolved", "mixed", "change", "flood"])
    events = bodies(sent, "pagerduty", ["firing", "resolved", "mixed", "flood"])
    changes = bodies(sent, "pagerduty", ["change"])
    hooks = bodies(sent, "webhook", ["firing", "mixed", "flood"])
    webhooks = [{"headers": hook.headers, "body": hook.body.decode(), "secret": secret} for hook in hooks for secret in (WHSEC, OTHER_SECRET)]
    forged = [{**webhooks[0], "body": webhooks[0]["body"] + " "},
              {**webhooks[0], "secret": "whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg=="},
              {**webhooks[0], "headers": {**webhooks[0]["headers"], "webhook-id": "msg_2"}}]
    recorder = Recorder()
    given = {"recorder": recorder.base, "slack": [request.json() for request in slack], "events": [request.json() for request in events],
             "changes": [request.json() for request in changes], "webhooks": webhooks + forged}
    done = subprocess.run(["node", HERE / "notify.mjs"], input=json.dumps(given), capture_output=True, text=True, cwd=NODE, timeout=120)
    if done.returncode != 0:
        return test.true("the SDKs run", False, done.stderr)
    said = json.loads(done.stdout)
    test.true("@slack/webhook is told ok", set(said["slack"]) == {"ok"}, said)
    test.true("pdjs is told success", set(said["pagerduty"]) == {"success"}, said)
    same_requests(test, "@slack/webhook", slack, recorder.requests[:len(slack)])
    same_requests(test, "pdjs", events + changes, recorder.requests[len(slack):])
    for verdict in said["webhooks"][:len(webhooks)]:
        test.true("standardwebhooks verifies with either secret", verdict == "verified", said["webhooks"])
    for verdict in said["webhooks"][len(webhooks):]:
        test.true("standardwebhooks refuses what is forged", verdict == "No matching signature found", said["webhooks"])


# ---- the types ----

def places(value, path=()):
    """Where each key of an object stands, but below what may hold anything."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield path + (key,)
            if key != OPEN:
                yield from places(item, path + (key,))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from places(item, path + (i,))


def mutants(body):
    """The body with one key renamed, or with one of its words changed, and which, for each of them."""
    for path in places(body):
        for changes_word in [False] + [True] * (path[-1] in WORDS):
            mutant = copy.deepcopy(body)
            around = mutant
            for step in path[:-1]:
                around = around[step]
            if changes_word:
                around[path[-1]] += "x"
            else:
                around[path[-1] + "x"] = around.pop(path[-1])
            yield mutant, ("word at " if changes_word else "key ") + ".".join(map(str, path))


def types_hold(test, sent):
    good = [(kind, request.json()) for kind, channel, cases in [("Slack", "slack", ["firing", "resolved", "mixed", "change", "flood"]),
                                                               ("Event", "pagerduty", ["firing", "resolved", "mixed"]),
                                                               ("Change", "pagerduty", ["change"])]
            for request in bodies(sent, channel, cases)]
    bad = [(kind, mutant, what) for kind, body in good if len(json.dumps(body)) < 4000 for mutant, what in mutants(body)]
    lines = PRELUDE.splitlines()
    first_good, first_bad = len(lines) + 1, len(lines) + 1 + len(good)
    lines += [f"export const v{i}: {kind} = {json.dumps(body)};" for i, (kind, body, *_) in enumerate(good + bad)]
    (NODE / "check.ts").write_text("\n".join(lines) + "\n")
    (NODE / "tsconfig.json").write_text(json.dumps({"files": ["check.ts"], "compilerOptions": {
        "noEmit": True, "strict": True, "skipLibCheck": True, "target": "es2022", "module": "nodenext", "types": []}}))
    done = subprocess.run([NODE / "node_modules/.bin/tsc", "--pretty", "false"], cwd=NODE, capture_output=True, text=True, timeout=300)
    errors = {int(line): text for line, text in re.findall(r"^check\.ts\((\d+),\d+\): error (.*)$", done.stdout, re.M)}
    if not test.true("TypeScript checks, and finds the types", errors and min(errors) >= first_good, done.stdout[:600] + done.stderr):
        return
    for line, (kind, body) in enumerate(good, first_good):
        test.true(f"a {kind} body has the SDK's type", line not in errors, (errors.get(line), body))
    for line, (kind, _, what) in enumerate(bad, first_bad):
        test.true(f"a {kind} body with a wrong {what} has not", line in errors)


# ---- limits ----

def slack_limit(interface, pattern):
    """The number in the comments of a type of @slack/types."""
    text = "".join((NODE / "node_modules/@slack/types/dist/block-kit" / file).read_text()
                   for file in ("blocks.d.ts", "composition-objects.d.ts"))
    inside = re.sub(r"\s*\*\s*", " ", text[text.index(f"export interface {interface} "):])
    return int(re.search(pattern, inside.split("export interface", 2)[1]).group(1))


def limits_hold(test, sent):
    header = slack_limit("HeaderBlock", r"Maximum length for the text in this field is (\d+)")
    section = slack_limit("SectionBlock", r"field is 1 and maximum length is (\d+)")
    elements = slack_limit("ContextBlock", r"Maximum number of items is (\d+)")
    text_max = slack_limit("MrkdwnElement", r"maximum length is (\d+)")
    for request in bodies(sent, "slack", ["flood"]):
        blocks = request.json()["blocks"]
        test.true("slack: 50 blocks", len(blocks) <= SLACK_BLOCKS_MAX, len(blocks))
        for block in blocks:
            texts = [block["text"]] if "text" in block else block["elements"]
            limit = {"header": header, "section": section, "context": text_max}[block["type"]]
            test.true(f"slack: {block['type']}", len(texts) <= elements and all(1 <= len(text["text"]) <= limit for text in texts), block)
            for text in texts:
                if text["type"] != "mrkdwn":
                    continue
                bare = re.sub(r"&(amp|lt|gt);", "", re.sub(r"<[^<>|]*\|[^<>|]*>", "", text["text"]))
                test.true("slack: every & < > is escaped, and no escape is cut", not re.search("[&<>]", bare), text)
    for request in bodies(sent, "pagerduty", ["flood"]):
        event = request.json()
        test.true("pagerduty: summary and dedup_key", 1 <= len(event["payload"]["summary"]) <= PAGERDUTY_SUMMARY_MAX
                  and 1 <= len(event["dedup_key"]) <= PAGERDUTY_KEY_MAX, event)


def check(test):
    if reason := node_with(NODE, *SDKS):
        return test.skip(reason)
    sent = sent_by_weir(test)
    sdks_send(test, sent)
    types_hold(test, sent)
    limits_hold(test, sent)
