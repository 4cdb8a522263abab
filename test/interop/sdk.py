# SPDX-License-Identifier: Apache-2.0
"""The released OpenAI SDK for Python against weir: sdk.py BASE_URL KEY. Run by run.py, in its own venv."""
import sys

import openai

BASE_URL, KEY = sys.argv[1:]
MODEL = "gpt-4o-mini"
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {
    "type": "object", "properties": {"question": {"type": "string"}}}}}]
client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
failed = []
count = 0


def check(name, condition, detail=""):
    global count
    count += 1
    if not condition:
        failed.append(name)
        print(f"FAILED python: {name}: {detail}", file=sys.stderr)


def ask(question, **members):
    return client.chat.completions.create(model=members.pop("model", MODEL),
                                          messages=[{"role": "user", "content": question}], **members)


def refusal(question, **members):
    """The class of the SDK's error, and its code."""
    try:
        ask(question, **members)
    except openai.APIStatusError as error:
        return type(error).__name__, error.code
    return None


def chat():
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    answer = raw.parse()
    check("chat", answer.choices[0].message.content == "You said: Hi", answer)
    check("usage", answer.usage.total_tokens == 12, answer.usage)
    check("query id", raw.headers.get("x-weir-query-id", "").startswith("q"), raw.headers)
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    check("parts are relayed", ask(parts).choices[0].message.content == "You said: text image_url")


def strategy():
    answer = ask("What is 17 * 24?", model="weir/hrm_trm", extra_body={"weir": {"model": "simulated", "domain": "stem"}})
    check("strategy", bool(answer.choices[0].message.content), answer)
    report = (answer.model_extra or {}).get("weir") or {}
    check("strategy: report", report.get("strategy") == "hrm_trm" and report.get("domain") == "stem" and report.get("simulated") is True, report)
    chunks = list(ask("What is 17 * 24?", model="weir/direct", stream=True, extra_body={"weir": {"model": "simulated"}}))
    check("strategy: streamed", any(chunk.choices and chunk.choices[0].delta.content for chunk in chunks), chunks)


def streams():
    chunks = list(ask("one two", stream=True, stream_options={"include_usage": True}))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    check("stream: text", text.strip() == "You said: one two", text)
    check("stream: usage", chunks[-1].usage is not None and chunks[-1].usage.total_tokens == 12, chunks[-1])
    check("stream: finish", any(choice.finish_reason == "stop" for chunk in chunks for choice in chunk.choices))


def tools():
    call = ask("Where?", tools=TOOLS).choices[0].message.tool_calls[0]
    check("tools", (call.function.name, call.function.arguments) == ("look_up", '{"question": "Where?"}'), call)
    arguments = ""
    for chunk in ask("Where?", tools=TOOLS, stream=True):
        for choice in chunk.choices:
            arguments += "".join(part.function.arguments or "" for part in choice.delta.tool_calls or [])
    check("tools: streamed", arguments == '{"question": "Where?"}', arguments)


def errors():
    check("unknown model", refusal("Hi", model="nothing") == ("NotFoundError", "caller_unknown_model"), refusal("Hi", model="nothing"))
    check("empty question", refusal("") == ("BadRequestError", "caller_empty_question"), refusal(""))
    check("provider fails", (refusal("status 500") or [""])[0] == "InternalServerError", refusal("status 500"))
    check("provider limits", (refusal("status 429") or [""])[0] == "RateLimitError", refusal("status 429"))
    try:
        openai.OpenAI(base_url=BASE_URL, api_key="wrong", max_retries=0).models.list()
        check("wrong key", False)
    except openai.AuthenticationError:
        check("wrong key", True)


def models():
    names = {model.id for model in client.models.list()}
    check("models", {MODEL, "weir/auto", "weir/hrm_trm"} <= names, names)


def abort():
    chunks = ask("never end", stream=True)
    next(iter(chunks))
    chunks.close()
    check("abort", True)


for test in (chat, strategy, streams, tools, errors, models, abort):
    try:
        test()
    except Exception as error:  # counted, and the others still run
        check(test.__name__, False, repr(error))
print(f"{count - len(failed)} passed, {len(failed)} failed")
