# SPDX-License-Identifier: Apache-2.0
"""What provider.py answers at Anthropic's path: the same as at OpenAI's, in that API's words."""
import json
import time

USAGE = {"input_tokens": 4, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 0, "output_tokens": 3}


def answer(handler, request):
    question = question_of(request["messages"][-1]["content"])
    if question.startswith("status "):
        status = int(question.split()[1])
        kinds = {429: "rate_limit_error", 529: "overloaded_error"}
        handler.respond(status, {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": "as asked"}})
        return
    blocks, stop = blocks_for(request, question)
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": blocks, "stop_reason": stop,
             "stop_sequence": None, "usage": USAGE}
    if request.get("stream"):
        stream(handler, whole, question)
    else:
        handler.respond(200, whole)


def question_of(content):
    if isinstance(content, str):
        return content
    if all(block["type"] == "text" for block in content):
        return " ".join(block["text"] for block in content)
    return " ".join("image_url" if block["type"] == "image" else block["type"] for block in content)


def blocks_for(request, question):
    has_results = any(isinstance(message["content"], list) and any(block["type"] == "tool_result" for block in message["content"])
                      for message in request["messages"])
    if request.get("tools") and not has_results:
        return [{"type": "tool_use", "id": f"toolu_{i}", "name": tool["name"], "input": {"question": question}}
                for i, tool in enumerate(request["tools"], 1)], "tool_use"
    if ((request.get("output_config") or {}).get("format") or {}).get("type") == "json_schema":
        return [{"type": "text", "text": json.dumps({"question": question})}], "end_turn"
    return [{"type": "text", "text": f"You said: {question}"}], "end_turn"


def stream(handler, whole, question):
    """The deltas of several blocks come in turns."""
    handler.begin_stream()
    try:
        handler.named_event({"type": "message_start", "message": {**whole, "content": [], "stop_reason": None,
                                                                  "usage": {**USAGE, "output_tokens": 1}}})
        handler.named_event({"type": "ping"})
        for i, block in enumerate(whole["content"]):
            empty = {**block, "input": {}} if block["type"] == "tool_use" else {**block, "text": ""}
            handler.named_event({"type": "content_block_start", "index": i, "content_block": empty})
        for part in (slice(0, 5), slice(5, None)):
            for i, block in enumerate(whole["content"]):
                delta = ({"type": "text_delta", "text": block["text"][part]} if block["type"] == "text" else
                         {"type": "input_json_delta", "partial_json": json.dumps(block["input"])[part]})
                handler.named_event({"type": "content_block_delta", "index": i, "delta": delta})
        while question == "never end":
            handler.named_event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "."}})
            time.sleep(0.01)
        for i in range(len(whole["content"])):
            handler.named_event({"type": "content_block_stop", "index": i})
        handler.named_event({"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
                             "usage": {"output_tokens": 3}})
        handler.named_event({"type": "message_stop"})
    except OSError:
        handler.server.gone += 1
    handler.close_connection = True
