// SPDX-License-Identifier: Apache-2.0
// The released Anthropic SDK for Node against weir: claude.mjs BASE_URL KEY. Run by run.py, from the folder that holds the SDK.
import { createRequire } from 'node:module';

const loaded = createRequire(process.cwd() + '/')('@anthropic-ai/sdk');
const Anthropic = loaded.Anthropic ?? loaded.default ?? loaded;
const [baseURL, apiKey] = process.argv.slice(2);
const client = new Anthropic({ baseURL: baseURL.replace(/\/v1$/, ''), apiKey, maxRetries: 0 });
const tools = ['look_up', 'find'].map((name) => ({ name, input_schema: { type: 'object', properties: { question: { type: 'string' } } } }));
let passed = 0;
let failed = 0;

function check(name, condition, detail = '') {
  if (condition) {
    passed++;
  } else {
    failed++;
    console.error(`FAILED anthropic node: ${name}:`, detail);
  }
}

function members(model, content, more = {}) {
  return { model, max_tokens: 100, messages: [{ role: 'user', content }], ...more };
}

async function refusal(model, content) {
  try {
    await client.messages.create(members(model, content));
  } catch (error) {
    return `${error.constructor.name} ${error.error?.error?.type}`;
  }
  return 'none';
}

async function chat(model) {
  const answer = await client.messages.create(members(model, 'Hi'));
  check(`${model}: chat`, answer.content[0].text === 'You said: Hi' && answer.usage.output_tokens === 3, answer);
  const final = await client.messages.stream(members(model, 'one two')).finalMessage();
  check(`${model}: stream`, final.content[0].text.trim() === 'You said: one two' && final.usage.output_tokens === 3, final);
}

async function toolUse(model) {
  const wanted = 'look_up {"question":"Where?"},find {"question":"Where?"}';
  const said = (message) => message.content.map((block) => `${block.name} ${JSON.stringify(block.input)}`).join();
  const whole = await client.messages.create(members(model, 'Where?', { tools }));
  check(`${model}: tools`, said(whole) === wanted && whole.stop_reason === 'tool_use', whole);
  const final = await client.messages.stream(members(model, 'Where?', { tools })).finalMessage();
  check(`${model}: tools, streamed`, said(final) === wanted, final);
}

async function errors(model) {
  const limits = await refusal(model, 'status 429');
  check(`${model}: provider limits`, limits === 'RateLimitError rate_limit_error', limits);
  const unknown = await refusal('nothing', 'Hi');
  check('unknown model', unknown === 'NotFoundError not_found_error', unknown);
}

async function abort() {
  const stream = await client.messages.create(members('claude', 'never end', { stream: true }));
  for await (const event of stream) {
    if (event.type === 'content_block_delta')
      break; // leaving the loop ends the request
  }
  check('abort', stream.controller.signal.aborted);
}

for (const [test, ...models] of [[chat, 'claude', 'gpt-4o-mini'], [toolUse, 'claude', 'gpt-4o-mini'], [errors, 'claude', 'gpt-4o-mini'], [abort, '']]) {
  for (const model of models) {
    try {
      await test(model);
    } catch (error) { // counted, and the others still run
      check(test.name, false, error);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
