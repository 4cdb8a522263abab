// SPDX-License-Identifier: Apache-2.0
// The released OpenAI SDK for Node against weir: sdk.mjs BASE_URL KEY. Run by run.py, from the folder that holds the SDK.
import { createRequire } from 'node:module';

const OpenAI = createRequire(process.cwd() + '/')('openai').OpenAI;
const [baseURL, apiKey] = process.argv.slice(2);
const model = 'gpt-4o-mini';
const tools = [{ type: 'function', function: { name: 'look_up', parameters: {
  type: 'object', properties: { question: { type: 'string' } } } } }];
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
let passed = 0;
let failed = 0;

function check(name, condition, detail = '') {
  if (condition) {
    passed++;
  } else {
    failed++;
    console.error(`FAILED node: ${name}:`, detail);
  }
}

function ask(question, members = {}, options = {}) {
  return client.chat.completions.create({ model, messages: [{ role: 'user', content: question }], ...members }, options);
}

async function refusal(question, members) {
  try {
    await ask(question, members);
  } catch (error) {
    return `${error.constructor.name} ${error.code}`;
  }
  return 'none';
}

async function chat() {
  const { data, response } = await ask('Hi').withResponse();
  check('chat', data.choices[0].message.content === 'You said: Hi', data);
  check('usage', data.usage.total_tokens === 12, data.usage);
  check('query id', (response.headers.get('x-weir-query-id') ?? '').startsWith('q'));
}

async function strategy() {
  const answer = await ask('What is 17 * 24?', { model: 'weir/hrm_trm', weir: { model: 'simulated', domain: 'stem' } });
  check('strategy', answer.choices[0].message.content.length > 0, answer);
  check('strategy: report', answer.weir?.strategy === 'hrm_trm' && answer.weir?.simulated === true, answer.weir);
}

async function streams() {
  let text = '';
  let usage = null;
  for await (const chunk of await ask('one two', { stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  check('stream: text', text.trim() === 'You said: one two', text);
  check('stream: usage', usage?.total_tokens === 12, usage);
}

async function toolCalls() {
  const answer = await ask('Where?', { tools });
  const call = answer.choices[0].message.tool_calls?.[0]?.function;
  check('tools', call?.name === 'look_up' && call?.arguments === '{"question": "Where?"}', call);
  let text = '';
  for await (const chunk of await ask('Where?', { tools, stream: true }))
    text += chunk.choices[0]?.delta?.tool_calls?.[0]?.function?.arguments ?? '';
  check('tools: streamed', text === '{"question": "Where?"}', text);
}

async function errors() {
  const cases = [
    ['unknown model', 'Hi', { model: 'nothing' }, /^NotFoundError caller_unknown_model$/],
    ['empty question', '', {}, /^BadRequestError caller_empty_question$/],
    ['provider fails', 'status 500', {}, /^InternalServerError /],
    ['provider limits', 'status 429', {}, /^RateLimitError /],
  ];
  for (const [name, question, members, wanted] of cases) {
    const got = await refusal(question, members);
    check(name, wanted.test(got), got);
  }
  try {
    await new OpenAI({ baseURL, apiKey: 'wrong', maxRetries: 0 }).models.list();
    check('wrong key', false);
  } catch (error) {
    check('wrong key', error.constructor.name === 'AuthenticationError', error);
  }
}

async function models() {
  const names = [];
  for await (const entry of client.models.list())
    names.push(entry.id);
  check('models', names.includes(model) && names.includes('weir/hrm_trm'), names);
}

async function abort() {
  const stream = await ask('never end', { stream: true });
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta?.content)
      break; // leaving the loop ends the request
  }
  check('abort', stream.controller.signal.aborted);
}

async function claude() {
  const answer = await ask('Hi', { model: 'claude' });
  check('claude: chat', answer.choices[0].message.content === 'You said: Hi', answer);
  const two = ['look_up', 'find'].map((name) => ({ ...tools[0], function: { ...tools[0].function, name } }));
  for (const name of [model, 'claude']) {
    const stream = client.chat.completions.stream({ model: name, messages: [{ role: 'user', content: 'Where?' }], tools: two });
    const calls = (await stream.finalChatCompletion()).choices[0].message.tool_calls.map((call) => call.function);
    check(`${name}: parallel, streamed`, calls.map((call) => call.name).join() === 'look_up,find' &&
      calls.every((call) => call.arguments === '{"question": "Where?"}'), calls);
  }
}

async function embeddings() {
  const answer = await client.embeddings.create({ model, input: ['one', 'two'] });
  check('embeddings', answer.data.length === 2 && answer.data[0].embedding.join() === '0.5,-1.25', answer);
}

async function responses() {
  for (const name of ['full', model, 'claude']) {
    const answer = await client.responses.create({ model: name, input: 'Hi' });
    check(`responses of ${name}`, answer.output_text.trim() === 'You said: Hi', answer);
    const stream = client.responses.stream({ model: name, input: 'Hi' });
    const final = await stream.finalResponse();
    check(`responses of ${name}: streamed`, final.output_text.trim() === 'You said: Hi', final);
  }
}

for (const test of [chat, strategy, streams, toolCalls, claude, embeddings, responses, errors, models, abort]) {
  try {
    await test();
  } catch (error) { // counted, and the others still run
    check(test.name, false, error);
  }
}
console.log(`${passed} passed, ${failed} failed`);
