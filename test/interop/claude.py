# SPDX-License-Identifier: Apache-2.0
"""The released Anthropic SDK for Python against weir: claude.py BASE_URL KEY. Run by run.py, in its own venv."""
import sys

import anthropic

BASE_URL, KEY = sys.argv[1:]
MODELS = ("claude", "gpt-4o-mini")  # relayed, translated
TOOLS = [{"name": name, "input_schema": {"type": "object", "properties": {"question": {"type": "string"}}}} for name in ("look_up", "find")]
client = anthropic.Anthropic(base_url=BASE_URL.removesuffix("/v1"), api_key=KEY, max_retries=0)
failed = []
count = 0


def check(name, condition, detail=""):
    global count
    count += 1
    if not condition:
        failed.append(name)
        print(f"FAILED anthropic python: {name}: {detail}", file=sys.stderr)


def members(model, question, **more):
    return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": question}], **more}


def ask(model, question, **more):
    return client.messages.create(**members(model, question, **more))


def refusal(model, question, **more):
    try:
        ask(model, question, **more)
    except anthropic.APIStatusError as error:
        return type(error).__name__, error.body["error"]["type"]
    return None


def chat(model):
    raw = client.messages.with_raw_response.create(**members(model, "Hi", system="Be brief."))
    answer = raw.parse()
    check(f"{model}: chat", answer.content[0].text == "You said: Hi" and answer.stop_reason == "end_turn", answer)
    check(f"{model}: usage", answer.usage.output_tokens == 3 and answer.usage.input_tokens > 0, answer.usage)
    check(f"{model}: query id", raw.headers.get("x-weir-query-id", "").startswith("q"), raw.headers)
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    answer = ask(model, [{"type": "text", "text": "What is it?"}, image])
    check(f"{model}: image", answer.content[0].text == "You said: text image_url", answer)


def streams(model):
    with client.messages.stream(**members(model, "one two")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    check(f"{model}: stream", text.strip() == "You said: one two" and final.content[0].text == text, final)
    check(f"{model}: stream's usage", final.usage.output_tokens == 3, final.usage)


def tools(model):
    answer = ask(model, "Where?", tools=TOOLS)
    wanted = [("look_up", {"question": "Where?"}), ("find", {"question": "Where?"})]
    check(f"{model}: tools", [(block.name, block.input) for block in answer.content] == wanted and answer.stop_reason == "tool_use", answer)
    with client.messages.stream(**members(model, "Where?", tools=TOOLS)) as stream:
        final = stream.get_final_message()
    check(f"{model}: tools, streamed", [(block.name, block.input) for block in final.content] == wanted, final)
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "there"} for block in answer.content]
    answer = client.messages.create(model=model, max_tokens=100, tools=TOOLS, messages=[
        {"role": "user", "content": "Where?"}, {"role": "assistant", "content": [block.model_dump() for block in answer.content]},
        {"role": "user", "content": [*results, {"type": "text", "text": "And?"}]}])
    check(f"{model}: results", "You said" in answer.content[0].text, answer)


def structured(model):
    schema = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"], "additionalProperties": False}
    answer = ask(model, "Why?", extra_body={"output_config": {"format": {"type": "json_schema", "schema": schema}}})
    check(f"{model}: structured", answer.content[0].text == '{"question": "Why?"}', answer)


def errors(model):
    check(f"{model}: provider limits", refusal(model, "status 429") == ("RateLimitError", "rate_limit_error"), refusal(model, "status 429"))
    check(f"{model}: provider fails", (refusal(model, "status 500") or [""])[0] == "InternalServerError", refusal(model, "status 500"))


def strategy():
    answer = ask("weir/direct", "What is 17 * 24?", extra_body={"weir": {"model": "simulated"}})
    check("strategy", bool(answer.content[0].text), answer)
    with client.messages.stream(**members("weir/direct", "What is 17 * 24?", extra_body={"weir": {"model": "simulated"}})) as stream:
        check("strategy, streamed", bool(stream.get_final_message().content[0].text))


def others():
    check("unknown model", refusal("nothing", "Hi") == ("NotFoundError", "not_found_error"), refusal("nothing", "Hi"))
    try:
        anthropic.Anthropic(base_url=BASE_URL.removesuffix("/v1"), api_key="wrong", max_retries=0).messages.create(**members("claude", "Hi"))
        check("wrong key", False)
    except anthropic.AuthenticationError:
        check("wrong key", True)


def abort():
    stream = client.messages.create(**members("claude", "never end", stream=True))
    next(iter(stream))
    stream.close()
    check("abort", True)


def attempt(test, *arguments):
    try:
        test(*arguments)
    except Exception as error:  # counted, and the others still run
        check(f"{test.__name__} {arguments}", False, repr(error))


for served in MODELS:
    for test in (chat, streams, tools, structured, errors):
        attempt(test, served)
for test in (strategy, others, abort):
    attempt(test)
print(f"{count - len(failed)} passed, {len(failed)} failed")
