# SPDX-License-Identifier: Apache-2.0
"""A provider that answers by what the request holds, so that a test sees whether the request came through whole."""
import base64
import http.server
import json
import struct
import threading
import time

import messages

HEAD = {"id": "chatcmpl-1", "created": 1700000000, "model": "gpt-4o-mini"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


class Provider(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), Handler)
        self.gone = 0  # clients that left in the middle of a stream
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = self.path.removeprefix("/v1")
        if path == "/embeddings":
            self.embeddings(request)
        elif path == "/messages":
            messages.answer(self, request)
        elif path == "/responses":
            self.response(request)
        else:
            self.chat(request)

    def chat(self, request):
        question = request["messages"][-1]["content"]
        if isinstance(question, str) and question.startswith("status "):
            self.respond(int(question.split()[1]), {"error": {"message": "as asked", "type": "x", "param": None, "code": None}})
        elif request.get("stream"):
            self.stream(request, question)
        else:
            message, finish = answer_to(request, question)
            logprobs = {"content": [{"token": "You", "bytes": None, "logprob": -0.5, "top_logprobs": []}]} if request.get("logprobs") else None
            self.respond(200, {**HEAD, "object": "chat.completion", "usage": USAGE, "choices": [
                {"index": i, "message": {"role": "assistant", **message}, "finish_reason": finish, "logprobs": logprobs}
                for i in range(request.get("n") or 1)]})

    def embeddings(self, request):
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        vector = [0.5, -1.25]
        if request.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack("<2f", *vector)).decode()
        self.respond(200, {"object": "list", "model": request["model"], "usage": {"prompt_tokens": 3, "total_tokens": 3},
                           "data": [{"object": "embedding", "index": i, "embedding": vector} for i in range(len(texts))]})

    def response(self, request):
        text = f"You said: {request['input']}"
        part = {"type": "output_text", "text": text, "annotations": []}
        whole = {"id": "resp_1", "object": "response", "created_at": 1700000000, "status": "completed", "model": request["model"],
                 "output": [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}],
                 "error": None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": {
                     "input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 3,
                     "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 12}}
        if not request.get("stream"):
            self.respond(200, whole)
            return
        self.begin_stream()
        events = [{"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}},
                  {"type": "response.output_item.added", "output_index": 0, "item": {**whole["output"][0], "content": []}},
                  {"type": "response.content_part.added", "item_id": "msg_1", "output_index": 0, "content_index": 0, "part": {**part, "text": ""}},
                  {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text, "logprobs": []},
                  {"type": "response.completed", "response": whole}]
        for number, event in enumerate(events):
            self.named_event({**event, "sequence_number": number})
        self.close_connection = True

    def begin_stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()

    def named_event(self, event):
        self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def stream(self, request, question):
        self.begin_stream()
        message, finish = answer_to(request, question)
        try:
            for delta in deltas_of(message):
                self.event([{"index": 0, "delta": delta, "finish_reason": None}])
            while question == "never end":
                self.event([{"index": 0, "delta": {"content": "."}, "finish_reason": None}])
                time.sleep(0.01)
            self.event([{"index": 0, "delta": {}, "finish_reason": finish}])
            if (request.get("stream_options") or {}).get("include_usage"):
                self.event([], USAGE)
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.server.gone += 1
        self.close_connection = True

    def event(self, choices, usage=None):
        event = {**HEAD, "object": "chat.completion.chunk", "choices": choices, **({"usage": usage} if usage else {})}
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def respond(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def answer_to(request, question):
    """A call of every tool that is offered, with the question as its argument; JSON where a schema is wished; else the question back."""
    if request.get("tools") and not any(message["role"] == "tool" for message in request["messages"]):
        calls = [{"id": f"call_{i}", "type": "function", "function": {"name": tool["function"]["name"],
                                                                      "arguments": json.dumps({"question": question})}}
                 for i, tool in enumerate(request["tools"], 1)]
        return {"content": None, "tool_calls": calls}, "tool_calls"
    if (request.get("response_format") or {}).get("type") == "json_schema":
        return {"content": json.dumps({"question": question})}, "stop"
    if isinstance(question, list):
        question = " ".join(part["text"] for part in question) if all(
            part["type"] == "text" for part in question) else " ".join(part["type"] for part in question)
    return {"content": f"You said: {question}"}, "stop"


def deltas_of(message):
    """Arguments of several calls come in turns."""
    if message.get("tool_calls"):
        calls = message["tool_calls"]
        for i, call in enumerate(calls):
            yield {"role": "assistant", "tool_calls": [{**call, "index": i, "function": {**call["function"], "arguments": ""}}]}
        for part in (slice(0, 5), slice(5, None)):
            for i, call in enumerate(calls):
                yield {"tool_calls": [{"index": i, "function": {"arguments": call["function"]["arguments"][part]}}]}
        return
    yield {"role": "assistant", "content": ""}
    for word in message["content"].split(" "):
        yield {"content": word + " "}
