# SPDX-License-Identifier: Apache-2.0
"""A provider that answers by what the request holds, so that a test sees whether the request came through whole."""
import http.server
import json
import threading
import time

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
        question = request["messages"][-1]["content"]
        if isinstance(question, str) and question.startswith("status "):
            self.respond(int(question.split()[1]), {"error": {"message": "as asked", "type": "x", "param": None, "code": None}})
        elif request.get("stream"):
            self.stream(request, question)
        else:
            message, finish = answer_to(request, question)
            self.respond(200, {**HEAD, "object": "chat.completion", "usage": USAGE, "choices": [
                {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}]})

    def stream(self, request, question):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
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
    """A call of the first tool that is offered, with the question as its argument; else the question back."""
    if request.get("tools"):
        name = request["tools"][0]["function"]["name"]
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps({"question": question})}}
        return {"content": None, "tool_calls": [call]}, "tool_calls"
    if isinstance(question, list):
        question = " ".join(part["type"] for part in question)
    return {"content": f"You said: {question}"}, "stop"


def deltas_of(message):
    if message.get("tool_calls"):
        call = message["tool_calls"][0]
        arguments = call["function"]["arguments"]
        yield {"role": "assistant", "tool_calls": [{**call, "index": 0, "function": {**call["function"], "arguments": ""}}]}
        for half in (arguments[:5], arguments[5:]):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": half}}]}
        return
    yield {"role": "assistant", "content": ""}
    for word in message["content"].split(" "):
        yield {"content": word + " "}
