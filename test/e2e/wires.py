#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The APIs beside chat completions, as front doors and as providers: embeddings, Anthropic's Messages, Responses: wires.py WEIR

What is relayed arrives byte for byte, what is translated says the same, usage is exact, one ledger row each; and a stream that is cut
or garbled at any byte ends in an error event, never in [DONE], message_stop or response.completed.
"""
import http.client
import http.server
import json
import socket
import threading

import harness
from harness import CLIENT_KEY, MODEL, PROVIDER_KEY, chunk, completion, free_port, stream

CLAUDE = "claude-sonnet-4-5"
EMBEDDER = "text-embedding-3-small"
OTHER = "gpt-responses"
USAGE = {"input_tokens": 100, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 20, "output_tokens": 1}
PRICES = """
- {model: claude-sonnet-4-5, from: 2020-01-01, input: 3, output: 15, cached: 0.30, cache_write: 3.75}
- {model: text-embedding-3-small, from: 2020-01-01, input: 0.02, output: 0}
- {model: gpt-4o-mini, from: 2020-01-01, input: 0.15, output: 0.60, cached: 0.075}
- {model: gpt-responses, from: 2020-01-01, input: 2, output: 8, cached: 0.5}
"""
# 100 fresh, 20 read from the cache, 30 written to it, 7 out: nano-dollars
CLAUDE_COST = 100 * 3000 + 20 * 300 + 30 * 3750 + 7 * 15000


class Recorder(http.server.ThreadingHTTPServer):
    """A provider that keeps what it was sent and answers with what is set."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", free_port()), Handler)
        self.port = self.server_port
        self.seen = []
        self.answer = (200, {})
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status, answer = self.server.answer
        is_stream = isinstance(answer, list)
        data = (b"".join(b"data: " + as_text(event) + b"\n\n" for event in answer) if is_stream else as_text(answer))
        self.send_response(status)
        self.send_header("content-type", "text/event-stream" if is_stream else "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def as_text(value):
    return value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()


def gateway_of(world, provider):
    prices = world.path("prices.yaml")
    prices.write_text(PRICES)
    base = f"http://127.0.0.1:{provider.port}/v1"
    key = "env:WEIR_E2E_PROVIDER_KEY"
    return world.gateway(provider, {
        "prices": str(prices),
        "breaker": {"failures": 0},  # it is cut on purpose, again and again
        "providers": {"anthropic": {"base_url": base, "api_key": key, "dialect": "anthropic", "json_schema": True},
                      "full": {"base_url": base, "api_key": key, "responses": True}},
        "models": {CLAUDE: {"provider": "anthropic"}, EMBEDDER: {"provider": "test"}, OTHER: {"provider": "full", "upstream_name": "gpt-5"}},
        "server": {"keys": ["env:WEIR_E2E_CLIENT_KEY"]},
    })


AUTH = {"authorization": f"Bearer {CLIENT_KEY}"}


def post(gateway, path, body, headers=None):
    return gateway.request("POST", path, body, AUTH if headers is None else headers)


def named_events(answer):
    """[(name, payload)] of a stream whose events have names."""
    events, name = [], None
    for line in answer.body.decode().splitlines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            events.append((name, json.loads(line[6:])))
            name = None
    return events


# ---- what providers say ----

def message(content, stop="end_turn", **more):
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": CLAUDE, "content": content, "stop_reason": stop,
            "stop_sequence": None, "usage": {**USAGE, "output_tokens": 7}, **more}


def message_events(blocks, stop="end_turn"):
    """The events of a stream: blocks are (start, [deltas]); the deltas of all come in turn."""
    events = [{"type": "message_start", "message": {**message([], None), "usage": USAGE}}, {"type": "ping"}]
    events += [{"type": "content_block_start", "index": i, "content_block": start} for i, (start, _) in enumerate(blocks)]
    for round_ in range(max(len(deltas) for _, deltas in blocks)):
        events += [{"type": "content_block_delta", "index": i, "delta": deltas[round_]}
                   for i, (_, deltas) in enumerate(blocks) if round_ < len(deltas)]
    events += [{"type": "content_block_stop", "index": i} for i in range(len(blocks))]
    return events + [{"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 7}},
                     {"type": "message_stop"}]


TEXT_EVENTS = message_events([({"type": "text", "text": ""}, [{"type": "text_delta", "text": t} for t in ("Hel", "lo ☃")])])
TOOL_EVENTS = message_events([
    ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Looking."}]),
    ({"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
     [{"type": "input_json_delta", "partial_json": t} for t in ('{"a"', ':1}')]),
    ({"type": "tool_use", "id": "toolu_2", "name": "find", "input": {}},
     [{"type": "input_json_delta", "partial_json": t} for t in ('{"b":', '[2]', '}')])], "tool_use")
RESPONSE = {"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5", "output": [], "error": None,
            "usage": {"input_tokens": 50, "input_tokens_details": {"cached_tokens": 10}, "output_tokens": 5,
                      "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 55}}
RESPONSE_COST = 40 * 2000 + 10 * 500 + 5 * 8000


# ---- tests ----

def embeddings(checks, gateway, provider):
    provider.answer = (200, b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-3]}],'
                            b'"model":"x","usage":{"prompt_tokens":1000,"total_tokens":1000}}')
    for path in ("/v1/embeddings", "/embeddings"):
        for given in ('"text"', '["a", "b"]', '[1,2, 3]', '[[1],[2,3]]'):
            body = f'{{"input": {given}, "model": "{EMBEDDER}", "encoding_format" : "base64","dimensions":256 }}'
            answer = post(gateway, path, body)
            checks.equal(f"{path} {given}: answer", (answer.status, answer.body), (200, provider.answer[1]))
            checks.equal(f"{path} {given}: request", provider.seen[-1][0::2], ("/v1/embeddings", body.encode()))
            checks.equal(f"{path} {given}: cost", answer.headers.get("x-weir-cost-usd"), "0.000020000")
    post(gateway, "/v1/embeddings", {"model": EMBEDDER, "input": "x", "weir": {"domain": "stem"}})
    checks.equal("embeddings: weir's member stays here", json.loads(provider.seen[-1][2]), {"model": EMBEDDER, "input": "x"})
    checks.error("embeddings of a strategy", post(gateway, "/v1/embeddings", {"model": "weir/auto", "input": "x"}), 501)
    checks.error("embeddings of Anthropic", post(gateway, "/v1/embeddings", {"model": CLAUDE, "input": "x"}), 501)
    checks.error("embeddings of nothing", post(gateway, "/v1/embeddings", {"model": EMBEDDER}), 400)
    checks.error("embeddings of nobody", post(gateway, "/v1/embeddings", {"model": "no", "input": "x"}), 404)
    provider.answer = (200, b'{"object":"list"}')
    checks.error("embeddings that are none", post(gateway, "/v1/embeddings", {"model": EMBEDDER, "input": "x"}), 502)
    return [20000] * 9 + [None] * 5


def chat_from_messages(checks, gateway, provider):
    """An OpenAI client, an Anthropic provider."""
    provider.answer = (200, message([{"type": "text", "text": "Hi"}, {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": [1]}}],
                                    "tool_use"))
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [
                    {"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
                {"role": "assistant", "content": None, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"x\": 1}"}},
                    {"id": "c2", "type": "function", "function": {"name": "look", "arguments": ""}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "one"}, {"role": "tool", "tool_call_id": "c2", "content": "two"},
                {"role": "user", "content": "And?"}]
    answer = post(gateway, "/v1/chat/completions", {"model": CLAUDE, "messages": messages, "tools": tools, "max_tokens": 50, "stop": "END",
                                                    "tool_choice": "required", "temperature": 1.5})
    path, headers, body = provider.seen[-1]
    checks.equal("messages: path and key", (path, headers.get("x-api-key"), headers.get("authorization"), headers.get("anthropic-version")),
                 ("/v1/messages", PROVIDER_KEY, None, "2023-06-01"))
    checks.equal("messages: request", json.loads(body), {
        "model": CLAUDE, "max_tokens": 50, "temperature": 1, "stop_sequences": ["END"], "system": [{"type": "text", "text": "Be brief."}],
        "tools": [{"name": "look", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"}, "messages": [
            {"role": "user", "content": [{"type": "text", "text": "See"},
                                         {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {"x": 1}},
                                              {"type": "tool_use", "id": "c2", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "one"},
                                         {"type": "tool_result", "tool_use_id": "c2", "content": "two"},
                                         {"type": "text", "text": "And?"}]}]})
    choice = answer.json["choices"][0]
    checks.equal("messages: answer", (choice["message"]["content"], choice["finish_reason"], choice["message"]["tool_calls"]),
                 ("Hi", "tool_calls", [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"a": [1]}'}}]))
    checks.equal("messages: usage", answer.json["usage"], {
        "prompt_tokens": 150, "completion_tokens": 7, "total_tokens": 157,
        "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 30}, "completion_tokens_details": {"reasoning_tokens": 0}})
    for name, more in (("n", {"n": 2}), ("logprobs", {"logprobs": True})):
        refused = post(gateway, "/v1/chat/completions", {"model": CLAUDE, "messages": messages, **more})
        checks.error(f"messages: {name} is refused", refused, 501)
        checks.equal(f"messages: {name} is named", refused.json["error"]["param"], name)
    return [CLAUDE_COST, None, None]


def chat_from_message_streams(checks, gateway, provider):
    question = {"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    provider.answer = (200, TEXT_EVENTS)
    answer = post(gateway, "/v1/chat/completions", question)
    events = answer.events()
    checks.equal("messages streamed: text", answer.streamed_text(), "Hello ☃")
    checks.true("messages streamed: no usage unasked", events[-1] == "[DONE]" and not any("usage" in e for e in events[:-1]), events)
    answer = post(gateway, "/v1/chat/completions", {**question, "stream_options": {"include_usage": True}})
    events = answer.events()
    checks.equal("messages streamed: usage", (events[-2]["choices"], events[-2]["usage"]["prompt_tokens"], events[-1]), ([], 150, "[DONE]"))
    provider.answer = (200, TOOL_EVENTS)
    answer = post(gateway, "/v1/chat/completions", question)
    calls = {}
    for event in answer.events()[:-1]:
        for choice in event["choices"]:
            for call in choice["delta"].get("tool_calls", []):
                kept = calls.setdefault(call["index"], {"arguments": ""})
                kept["id"] = call.get("id", kept.get("id"))
                kept["arguments"] += call["function"].get("arguments", "")
    checks.equal("messages streamed: tools", calls, {0: {"id": "toolu_1", "arguments": '{"a":1}'}, 1: {"id": "toolu_2", "arguments": '{"b":[2]}'}})
    checks.equal("messages streamed: finish", answer.events()[-2]["choices"][0]["finish_reason"], "tool_calls")
    provider.answer = (200, [*TEXT_EVENTS[:4], {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}])
    events = post(gateway, "/v1/chat/completions", question).events()
    checks.equal("messages streamed: error", events[-1].get("error", {}).get("code"), "provider_overloaded")
    return [CLAUDE_COST] * 3 + ["cut"]


def messages_relayed(checks, gateway, provider):
    body = f'{{"model": "{CLAUDE}" , "max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}], "thinking": {{"type":"x"}}}}'
    provider.answer = (200, b'{"id":"msg_1", "type" :"message","content":[],"usage":{"input_tokens":100,"output_tokens":7,'
                            b'"cache_creation_input_tokens":30,"cache_read_input_tokens":20}}')
    answer = post(gateway, "/v1/messages", body, {"x-api-key": CLIENT_KEY, "anthropic-beta": "beta-1,beta-2"})
    checks.equal("messages relayed: answer", (answer.status, answer.body), (200, provider.answer[1]))
    path, headers, sent = provider.seen[-1]
    checks.equal("messages relayed: request", (path, sent, headers.get("anthropic-beta"), headers.get("x-api-key")),
                 ("/v1/messages", body.encode(), "beta-1,beta-2", PROVIDER_KEY))
    provider.answer = (200, TEXT_EVENTS)
    answer = post(gateway, "/v1/messages", {**json.loads(body), "stream": True})
    checks.equal("messages relayed: events", named_events(answer), [(event["type"], event) for event in TEXT_EVENTS])
    provider.answer = (429, {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}})
    answer = post(gateway, "/v1/messages", body)
    checks.equal("messages relayed: refusal", (answer.status, answer.json["type"], answer.json["error"]["type"], answer.json["error"]["message"]),
                 (429, "error", "rate_limit_error", "slow down"))
    for name, headers, want in (("wrong key", {"x-api-key": "no"}, (401, "authentication_error")), ("no key", {}, (401, "authentication_error"))):
        answer = post(gateway, "/v1/messages", body, headers)
        checks.equal(f"messages: {name}", (answer.status, answer.json["error"]["type"]), want)
    answer = post(gateway, "/v1/chat/completions", body, {"x-api-key": CLIENT_KEY})
    checks.equal("x-api-key is taken at every door", answer.status, 429)
    provider.answer = (200, message([]))
    betas = [f"beta-{number}" for number in range(70)]  # more than the transport remembers at once
    for beta in betas:
        post(gateway, "/v1/messages", body, {"x-api-key": CLIENT_KEY, "anthropic-beta": beta})
    checks.equal("each call has its own headers", [headers.get("anthropic-beta") for _, headers, _ in provider.seen[-70:]], betas)
    answer = gateway.request("GET", "/v1/messages", None, AUTH)
    checks.equal("GET messages", (answer.status, answer.json["type"]), (405, "error"))
    return [CLAUDE_COST, CLAUDE_COST, "free"] + [None] * 3 + [CLAUDE_COST] * 70


def messages_translated(checks, gateway, provider):
    """An Anthropic client, an OpenAI provider or a strategy."""
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"a\": 1}"}}
    provider.answer = (200, {**completion(), "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "So", "tool_calls": [call]}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}})
    body = {"model": MODEL, "max_tokens": 99, "system": [{"type": "text", "text": "Brief."}], "tools": [{"name": "look", "input_schema": {}}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True}, "stop_sequences": ["X"], "messages": [
                {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image", "source": {
                    "type": "base64", "media_type": "image/png", "data": "AA"}}]},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Yes"},
                                                  {"type": "tool_use", "id": "t", "name": "look", "input": {"q": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}]},
                                             {"type": "text", "text": "so?"}]}]}
    answer = post(gateway, "/v1/messages", body)
    checks.equal("to chat: request", json.loads(provider.seen[-1][2]), {
        "model": MODEL, "max_tokens": 99, "stop": ["X"], "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
        "tool_choice": "required", "parallel_tool_calls": False, "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Brief."}]},
            {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
            {"role": "assistant", "content": "Yes", "tool_calls": [
                {"id": "t", "type": "function", "function": {"name": "look", "arguments": '{"q": 1}'}}]},
            {"role": "tool", "tool_call_id": "t", "content": "r"}, {"role": "user", "content": [{"type": "text", "text": "so?"}]}]})
    checks.equal("to chat: answer", (answer.json["type"], answer.json["content"], answer.json["stop_reason"]), ("message", [
        {"type": "text", "text": "So"}, {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}}], "tool_use"))
    checks.equal("to chat: usage", answer.json["usage"], {"input_tokens": 60, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 40,
                                                          "output_tokens": 10})
    provider.answer = (200, [chunk({"role": "assistant", "content": ""}), chunk({"content": "He"}), chunk({"content": "y"}),
                             chunk({"tool_calls": [{**call, "index": 0, "function": {"name": "look", "arguments": ""}}]}),
                             chunk({"tool_calls": [{**call, "id": "c2", "index": 1, "function": {"name": "find", "arguments": "{"}}]}),
                             chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}),
                             chunk({"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]}), chunk({}, "tool_calls"),
                             chunk(usage={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}), "[DONE]"])
    events = named_events(post(gateway, "/v1/messages", {**body, "stream": True}))
    checks.true("to chat, streamed: usage is asked for", json.loads(provider.seen[-1][2])["stream_options"] == {"include_usage": True})
    checks.equal("to chat, streamed: names", [name for name, _ in events], [payload["type"] for _, payload in events])
    said = {}
    for name, event in events:
        if name == "content_block_delta":
            said[event["index"]] = said.get(event["index"], "") + (event["delta"].get("text") or event["delta"].get("partial_json"))
    checks.equal("to chat, streamed: blocks", said, {0: "Hey", 1: '{"a":1}', 2: "{}"})
    checks.equal("to chat, streamed: end", (events[-2][1]["delta"]["stop_reason"], events[-2][1]["usage"]["output_tokens"], events[-1][0]),
                 ("tool_use", 10, "message_stop"))
    starts = [e["index"] for n, e in events if n == "content_block_start"]
    stops = [e["index"] for n, e in events if n == "content_block_stop"]
    checks.equal("to chat, streamed: every block ends", (starts, sorted(stops)), ([0, 1, 2], [0, 1, 2]))
    provider.answer = (200, [chunk({"content": "x"}), chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}), *stream(["a"])])
    events = named_events(post(gateway, "/v1/messages", {**body, "stream": True}))
    checks.true("to chat, streamed: a call without a name", events[-1][0] == "error" and "message_stop" not in dict(events), events)
    provider.answer = (200, completion("391"))
    for extra in ({}, {"stream": True}):
        plain = {"model": "weir/direct", "max_tokens": 50, "messages": [{"role": "user", "content": "17 * 23?"}], **extra}
        answer = post(gateway, "/v1/messages", plain)
        text = answer.json["content"][0]["text"] if answer.json else "".join(e["delta"]["text"] for n, e in named_events(answer) if n == "content_block_delta")
        checks.true(f"a strategy in Messages {extra}", "391" in text, answer.body)
    checks.true("a strategy in Messages: report", answer.json is None and named_events(answer)[-1][0] == "message_stop", answer.body)
    answer = post(gateway, "/v1/messages", {**body, "messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]})
    checks.true("what chat has no word for", answer.status == 501 and "document" in answer.json["error"]["message"], answer.body)
    chat_cost = 60 * 150 + 40 * 75 + 10 * 600
    return [chat_cost, 100 * 150 + 10 * 600, "translation fails", "strategy", "strategy", None]


def responses(checks, gateway, provider):
    body = f'{{"model":"{OTHER}","input":[{{"type":"x"}}] , "tools":[{{"type":"web_search"}}]}}'
    provider.answer = (200, RESPONSE)
    answer = post(gateway, "/v1/responses", body)
    checks.equal("responses relayed", (answer.body, provider.seen[-1][0::2]),
                 (as_text(RESPONSE), ("/v1/responses", body.replace(OTHER, "gpt-5").encode())))
    events = [{"type": "response.created", "response": {"id": "r"}}, {"type": "response.output_text.delta", "delta": "x"},
              {"type": "response.completed", "response": RESPONSE}]
    provider.answer = (200, events)
    answer = post(gateway, "/v1/responses", {**json.loads(body), "stream": True})
    checks.equal("responses relayed: events", named_events(answer), [(event["type"], event) for event in events])
    provider.answer = (200, [*events[:2], {"type": "response.failed", "response": {**RESPONSE, "error": {"message": "x"}}}])
    answer = post(gateway, "/v1/responses", {**json.loads(body), "stream": True})
    checks.equal("responses relayed: failure", (named_events(answer)[-1][0], named_events(answer)[-1][1]["type"]), ("error", "error"))
    provider.answer = (200, completion("four"))
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    answer = post(gateway, "/v1/responses", {"model": MODEL, "instructions": "Be brief.", "max_output_tokens": 40, "temperature": 0.5, "store": False,
                                             "text": {"format": schema}, "tools": [], "input": [
        {"role": "user", "content": "2 + 2?"}, {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "4"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "In words"}]}]})
    checks.equal("responses to chat: request", json.loads(provider.seen[-1][2]), {
        "model": MODEL, "max_tokens": 40, "temperature": 0.5, "response_format": {"type": "json_schema", "json_schema": {
            "name": "n", "strict": True, "schema": {"type": "object"}}}, "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"},
            {"role": "assistant", "content": [{"type": "text", "text": "4"}]}, {"role": "user", "content": [{"type": "text", "text": "In words"}]}]})
    checks.equal("responses to chat: answer", (answer.json["object"], answer.json["status"], answer.json["output"][0]["content"][0]["text"],
                                               answer.json["usage"]["input_tokens"]), ("response", "completed", "four", 100))
    provider.answer = (200, stream(["fo", "ur"]))
    events = named_events(post(gateway, "/v1/responses", {"model": MODEL, "input": "2 + 2?", "stream": True}))
    checks.equal("responses to chat: streamed", [name for name, _ in events], [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta",
        "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"])
    checks.equal("responses to chat: numbers", [event["sequence_number"] for _, event in events], list(range(10)))
    checks.equal("responses to chat: whole", (events[-1][1]["response"]["output"][0]["content"][0]["text"],
                                              events[-1][1]["response"]["usage"]["output_tokens"]), ("four", 10))
    for field, more in (("tools", {"tools": [{"type": "function"}]}), ("previous_response_id", {"previous_response_id": "r"}),
                        ("reasoning", {"reasoning": {"effort": "low"}}), ("background", {"background": True})):
        refused = post(gateway, "/v1/responses", {"model": MODEL, "input": "x", **more})
        checks.error(f"responses: {field} is refused", refused, 501)
        checks.equal(f"responses: {field} is named", refused.json["error"]["param"], field)
    provider.answer = (200, completion("391"))
    answer = post(gateway, "/responses", {"model": "weir/direct", "input": "17 * 23?"})
    checks.true("a strategy in Responses", "391" in answer.json["output"][0]["content"][0]["text"] and "weir" in answer.json, answer.body)
    chat_cost = 100 * 150 + 10 * 600
    return [RESPONSE_COST, RESPONSE_COST, "cut", chat_cost, chat_cost] + [None] * 4 + ["strategy"]


def doors(checks, world):
    provider = Recorder()
    gateway = gateway_of(world, provider)
    costs = []
    for part in (embeddings, chat_from_messages, chat_from_message_streams, messages_relayed, messages_translated, responses, usage_unasked,
                 strategies):
        costs += part(checks, gateway, provider)
    checks.equal("stops", gateway.stop(), 0)
    rows = gateway.rows()
    checks.equal("one row each", len(rows), len(costs))
    for number, (row, cost) in enumerate(zip(rows, costs)):
        if isinstance(cost, int):
            checks.equal(f"row {number}: cost", row["cost_nano_usd"], cost)
        elif cost == "cut":
            checks.true(f"row {number}: failed", row["result"].startswith("PROVIDER_"), row)
    checks.equal("its domain is recorded", [row["domain"] for row in rows[:9]], ["generic"] * 8 + ["stem"])
    checks.equal("ledger verify", gateway.verify()[0], 0)
    checks.true("no secret in the log", not harness.has_secret(gateway.process.output()))


def usage_unasked(checks, gateway, provider):
    """Asked for upstream in any case; a client that did not ask sees none of it, wherever the provider puts it."""
    events = stream(["a"])
    usage = events[-2]["usage"]
    last = {**chunk({}, "stop"), "usage": usage}
    for name, said in (("apart", events), ("with the finish", [*events[:2], last, "[DONE]"])):
        provider.answer = (200, said)
        question = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        got = post(gateway, "/v1/chat/completions", question).events()
        checks.true(f"usage {name}: asked for", json.loads(provider.seen[-1][2])["stream_options"]["include_usage"] is True)
        checks.equal(f"usage {name}: stripped", [event for event in got if "usage" in event], [])
        checks.equal(f"usage {name}: the rest is there", (got[-2]["choices"][0]["finish_reason"], got[-1]), ("stop", "[DONE]"))
        got = post(gateway, "/v1/chat/completions", {**question, "stream_options": {"include_usage": True}}).events()
        checks.equal(f"usage {name}: kept when asked for", [event.get("usage") for event in got[:-1]][-1], usage)
    provider.answer = (200, [*events, chunk({"content": "more"})])
    got = post(gateway, "/v1/chat/completions", question)
    checks.true("nothing comes behind the end", got.streamed_text() == "a" and got.events()[-1] == "[DONE]", got.body)
    provider.answer = (200, [json.dumps(event, indent=1).replace("\n", "\ndata: ") for event in events[:-1]] + ["[DONE]"])
    got = post(gateway, "/v1/chat/completions", question)
    checks.true("events of several lines", got.streamed_text() == "a" and got.events()[-1] == "[DONE]", got.body)
    return [100 * 150 + 10 * 600] * 6


def strategies(checks, gateway, provider):
    """A strategy whose model speaks Messages."""
    provider.answer = (200, message([{"type": "text", "text": "391"}]))
    answer = post(gateway, "/v1/chat/completions", {"model": "weir/direct", "messages": [{"role": "user", "content": "17 * 23?"}],
                                                    "weir": {"model": CLAUDE}})
    checks.true("a strategy over Messages", answer.status == 200 and "391" in answer.text, answer.body)
    checks.equal("a strategy over Messages: cost", answer.json["weir"]["cost_nano_usd"] % CLAUDE_COST, 0)
    checks.equal("a strategy over Messages: path", provider.seen[-1][0], "/v1/messages")
    return ["strategy"]


def left(checks, world):
    """A client that leaves a stream of Messages: the input is what the provider said at the start, the output is counted by us."""
    for door, body in (("/v1/messages", {"max_tokens": 9}), ("/v1/chat/completions", {})):
        upstream = world.script([{"events": TEXT_EVENTS, "stall_after_events": 5, "stall_ms": 600000}])
        gateway = gateway_of(world, upstream)
        data = json.dumps({"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}], "stream": True, **body}).encode()
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=harness.PATIENCE) as client:
            client.sendall(f"POST {door} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {CLIENT_KEY}\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
            answer = http.client.HTTPResponse(client)
            answer.begin()
            while b"lo " not in answer.readline():
                pass
            answer.close()
        checks.true(f"left {door}: the provider sees it", harness.wait_until(lambda: upstream.counts()["gone"] == 1), upstream.counts())
        checks.equal(f"left {door}: asked once", upstream.counts()["requests"], 1)
        checks.equal(f"left {door}: stops", gateway.stop(), 0)
        row = gateway.rows()[0]
        checks.equal(f"left {door}: row", (row["result"], row["truncated"], row["input_tokens"], row["output_tokens"]), ("CALLER_GONE", 1, 150, 3))
        checks.equal(f"left {door}: cost", row["cost_nano_usd"], CLAUDE_COST - 7 * 15000 + 3 * 15000)


def broken(checks, world):
    """Cut at places all over the bytes of each wire's stream, through each door that it can be asked by."""
    chat = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "stream": True}
    done = {"chat": b"[DONE]", "messages": b"message_stop", "responses": b'"response.completed"'}
    wires = {"messages": (CLAUDE, TEXT_EVENTS), "chat": (MODEL, stream(["a", "b"])),
             "responses": (OTHER, [{"type": "response.output_text.delta", "delta": "x"}, {"type": "response.completed", "response": RESPONSE}])}
    ways = [("messages", "chat"), ("messages", "messages"), ("chat", "messages"), ("chat", "responses"), ("responses", "responses")]
    paths = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
    for wire, door in ways:
        model, events = wires[wire]
        size = sum(len(as_text(event)) + 8 for event in events)
        cuts = [*range(0, size - 1, 17), size - 2, size - 1, size]
        gateway = gateway_of(world, world.script([{"events": events, "cut_after_bytes": cut} for cut in cuts]))
        for cut in cuts:
            body = {"model": model, **(chat if door != "responses" else {"input": "Hi", "stream": True})}
            answer = post(gateway, paths[door], body)
            text = answer.body
            is_error = answer.status == 502 or (answer.status == 200 and b'"error"' in text[text.rfind(b"data: "):])
            checks.true(f"{wire} at {door}, cut after {cut} bytes", is_error and done[door] not in text, text[-300:])
        checks.equal(f"{wire} at {door}: stops", gateway.stop(), 0)
        rows = gateway.rows()
        checks.equal(f"{wire} at {door}: rows", {row["result"] for row in rows} | {len(rows)}, {"PROVIDER_CUT", len(cuts)})


def fallbacks(checks, world):
    """What a strategy asks of Messages goes to another provider whole; a relayed request goes to nobody who lacks its API."""
    down, other = Recorder(), Recorder()
    down.answer = (500, {"type": "error", "error": {"type": "api_error", "message": "down"}})
    other.answer = (200, completion("from the other"))
    base = [f"http://127.0.0.1:{provider.port}/v1" for provider in (down, other)]
    gateway = world.gateway(down, {
        "max_retries": 0, "breaker": {"failures": 0},
        "providers": {"anthropic": {"base_url": base[0], "dialect": "anthropic"}, "full": {"base_url": base[0], "responses": True},
                      "other": {"base_url": base[1]}},
        "models": {CLAUDE: {"provider": "anthropic", "fallback": ["spare"]}, OTHER: {"provider": "full", "fallback": ["spare"]},
                   "spare": {"provider": "other"}}})
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "17 * 23?"}]
    answer = gateway.post({"model": "weir/direct", "messages": messages, "weir": {"model": CLAUDE}})
    checks.equal("a strategy falls back from Messages", (answer.status, answer.text), (200, "from the other"))
    sent = json.loads(other.seen[-1][2])
    checks.true("with its instructions in the other's words", "system" not in sent and "Be brief." in sent["messages"][0]["content"] and
                sent["messages"][0]["role"] == "system" and isinstance(sent["messages"][-1]["content"], str), sent)
    answer = gateway.request("POST", "/v1/responses", {"model": OTHER, "input": "Hi"})
    checks.equal("no fallback without the API", (answer.status, len(other.seen)), (502, 1))
    checks.equal("fallbacks: stops", gateway.stop(), 0)
    checks.equal("its row", [call["result"] for call in gateway.rows()[1]["calls"]], ["PROVIDER_FAILED", "WEIR_NOT_SUPPORTED"])


def main(world, checks):
    doors(checks, world)
    fallbacks(checks, world)
    left(checks, world)
    broken(checks, world)


if __name__ == "__main__":
    harness.run(main)
