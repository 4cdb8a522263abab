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


def claude():
    """The same client, a model whose provider speaks Anthropic's Messages."""
    answer = ask("Hi", model="claude")
    check("claude: chat", answer.choices[0].message.content == "You said: Hi", answer)
    check("claude: usage", (answer.usage.prompt_tokens, answer.usage.prompt_tokens_details.cached_tokens) == (9, 5), answer.usage)
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    check("claude: parts", ask(parts, model="claude").choices[0].message.content == "You said: text image_url")
    chunks = list(ask("one two", model="claude", stream=True, stream_options={"include_usage": True}))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    check("claude: stream", text == "You said: one two" and chunks[-1].usage.total_tokens == 12, chunks)
    check("claude: provider limits", (refusal("status 429", model="claude") or [""])[0] == "RateLimitError")
    check("claude: provider overloaded", (refusal("status 529", model="claude") or [""])[0] == "InternalServerError")


def parallel_tools():
    offered = [{**TOOLS[0], "function": {**TOOLS[0]["function"], "name": name}} for name in ("look_up", "find")]
    for model in (MODEL, "claude"):
        wanted = [("look_up", '{"question": "Where?"}'), ("find", '{"question": "Where?"}')]
        message = ask("Where?", model=model, tools=offered).choices[0].message
        check(f"{model}: parallel", [(call.function.name, call.function.arguments) for call in message.tool_calls] == wanted, message)
        with client.chat.completions.stream(model=model, messages=[{"role": "user", "content": "Where?"}], tools=offered) as stream:
            calls = stream.get_final_completion().choices[0].message.tool_calls
        check(f"{model}: parallel, streamed", [(call.function.name, call.function.arguments) for call in calls] == wanted, calls)
        results = [{"role": "tool", "tool_call_id": call.id, "content": "there"} for call in message.tool_calls]
        answer = client.chat.completions.create(model=model, tools=offered, messages=[
            {"role": "user", "content": "Where?"}, message.model_dump(exclude_none=True), *results, {"role": "user", "content": "And?"}])
        check(f"{model}: results", "You said" in answer.choices[0].message.content, answer)


def structured():
    schema = {"type": "json_schema", "json_schema": {"name": "q", "strict": True, "schema": {
        "type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"], "additionalProperties": False}}}
    for model in (MODEL, "claude"):
        answer = ask("Why?", model=model, response_format=schema).choices[0].message.content
        check(f"{model}: structured", answer == '{"question": "Why?"}', answer)


def several():
    answer = ask("Hi", n=2, logprobs=True)
    check("n", [choice.index for choice in answer.choices] == [0, 1], answer)
    check("logprobs", answer.choices[1].logprobs.content[0].logprob == -0.5, answer)
    check("n of Anthropic", refusal("Hi", n=2, model="claude") == ("InternalServerError", "weir_not_supported"), refusal("Hi", n=2, model="claude"))


def embeddings():
    for given in ("one", ["one", "two"], [1, 2, 3]):
        answer = client.embeddings.create(model=MODEL, input=given)
        check(f"embeddings of {given}", answer.data[0].embedding == [0.5, -1.25] and answer.usage.total_tokens == 3, answer)


def responses():
    for model, asked in (("full", "Hi"), (MODEL, "Hi"), ("claude", "Hi")):
        answer = client.responses.create(model=model, input=asked)
        check(f"responses of {model}", answer.output_text.strip() == "You said: Hi" and answer.usage.total_tokens == 12, answer)
        with client.responses.stream(model=model, input=asked) as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_response()
        check(f"responses of {model}: streamed", final.output_text.strip() == "You said: Hi", final)
        check(f"responses of {model}: events", kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds)
    answer = client.responses.create(model="weir/direct", input="What is 17 * 24?", extra_body={"weir": {"model": "simulated"}})
    check("responses of a strategy", bool(answer.output_text), answer)
    try:
        client.responses.create(model=MODEL, input="Hi", tools=[{"type": "web_search"}])
        check("responses: refusal", False)
    except openai.APIStatusError as error:
        check("responses: refusal", (error.status_code, error.param) == (501, "tools"), error)


for test in (chat, strategy, streams, tools, claude, parallel_tools, structured, several, embeddings, responses, errors, models, abort):
    try:
        test()
    except Exception as error:  # counted, and the others still run
        check(test.__name__, False, repr(error))
print(f"{count - len(failed)} passed, {len(failed)} failed")
