// OpenAI's own client, unmodified, with another base URL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { APIUserAbortError, BadRequestError, NotFoundError } from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { base, canceled } from './busu.mjs';

const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'unused', maxRetries: 0 });
const messages = [{ role: 'user', content: 'What is the capital of France?' }];
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, unit: { type: 'string', enum: ['celsius', 'fahrenheit'] } },
      required: ['city', 'unit'],
      additionalProperties: false,
    },
  },
};

test('chat', async () => {
  const { data, response } = await client.chat.completions.create({ model: 'auto', messages, user: 'ada' }).withResponse();
  assert.equal(data.object, 'chat.completion');
  assert.equal(data.choices[0].finish_reason, 'stop');
  assert.ok(data.choices[0].message.content.length > 0);
  assert.ok(data.usage.total_tokens > 0 && data.usage.cost_usd > 0);
  assert.equal(response.headers.get('x-busu-model'), 'small');
  assert.equal(data._request_id, response.headers.get('x-request-id'));
});

test('stream', async () => {
  const stream = await client.chat.completions.create({
    model: 'auto', messages, stream: true, stream_options: { include_usage: true },
  });
  let text = '', usage, finish;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.ok(text.length > 0);
  assert.equal(finish, 'stop');
  assert.ok(usage.completion_tokens > 0 && usage.cost_usd > 0);
});

test('stream helper puts the answer together', async () => {
  const stream = client.chat.completions.stream({ model: 'small', messages });
  const final = await stream.finalChatCompletion();
  assert.ok(final.choices[0].message.content.length > 0);
});

test('tools, with and without a stream', async () => {
  const asked = { model: 'auto', messages, tools: [weather], tool_choice: 'required' };
  const whole = await client.chat.completions.create(asked);
  const call = whole.choices[0].message.tool_calls[0];
  assert.equal(whole.choices[0].finish_reason, 'tool_calls');
  assert.equal(call.function.name, 'get_weather');
  const args = JSON.parse(call.function.arguments);
  assert.equal(typeof args.city, 'string');
  assert.ok(['celsius', 'fahrenheit'].includes(args.unit));

  const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
  assert.equal(streamed.choices[0].message.tool_calls[0].function.name, 'get_weather');
  JSON.parse(streamed.choices[0].message.tool_calls[0].function.arguments);

  const after = await client.chat.completions.create({
    model: 'auto', tools: [weather],
    messages: [...messages, whole.choices[0].message, { role: 'tool', tool_call_id: call.id, content: '{"degrees": 21}' }],
  });
  assert.ok(after.choices[0].message.content.length > 0);
});

test('structured output', async () => {
  const City = z.object({ name: z.string(), country: z.string(), people: z.number() });
  const done = await client.chat.completions.parse({
    model: 'large', messages, response_format: zodResponseFormat(City, 'city'),
  });
  const city = done.choices[0].message.parsed;
  assert.equal(typeof city.name, 'string');
  assert.equal(typeof city.people, 'number');
});

test('images in parts', async () => {
  const done = await client.chat.completions.create({
    model: 'auto',
    messages: [{ role: 'user', content: [
      { type: 'text', text: 'What is in this picture?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
    ] }],
  });
  assert.ok(done.choices[0].message.content.length > 0);
});

test('what busu does not know passes through', async () => {
  const done = await client.chat.completions.create({ model: 'mirror', messages, seed: 7, logprobs: true, top_logprobs: 2, zzz: { y: [1.5] } });
  const seen = JSON.parse(done.choices[0].message.content);
  assert.equal(seen.seed, 7);
  assert.equal(seen.logprobs, true);
  assert.deepEqual(seen.zzz, { y: [1.5] });
  assert.equal(seen.model, 'mirror-upstream');
  assert.equal(done.zzz_from_vendor, 1);
});

test('errors', async () => {
  await assert.rejects(client.chat.completions.create({ model: 'gpt-none', messages }),
    (e) => e instanceof NotFoundError && e.code === 'model_not_found' && e.param === 'model');
  await assert.rejects(client.chat.completions.create({ model: 'auto', messages: [] }),
    (e) => e instanceof BadRequestError && e.param === 'messages' && e.type === 'invalid_request_error');
  await assert.rejects(client.chat.completions.create({ model: 'refuses', messages }),
    (e) => e instanceof BadRequestError && /too salty/.test(e.message));
});

test('an error in the middle of a stream', async () => {
  const stream = await client.chat.completions.create({ model: 'breaks', messages, stream: true });
  let text = '';
  await assert.rejects(async () => {
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
  });
  assert.equal(text, 'half');
});

test('retries', async () => {
  const patient = client.withOptions({ maxRetries: 3 });
  const done = await patient.chat.completions.create({ model: 'flaky', messages, user: `js-${process.pid}` });
  assert.equal(done.choices[0].message.content, 'third time lucky');
});

test('abort reaches the vendor', async () => {
  const before = await canceled();
  const stream = await client.chat.completions.create({ model: 'endless', messages, stream: true });
  await assert.rejects(async () => {
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta?.content) stream.controller.abort();
    }
    throw new APIUserAbortError();
  }, APIUserAbortError);
  for (let i = 0; (await canceled()) === before; i++) {
    assert.ok(i < 200, 'the vendor never heard that the client had left');
    await new Promise((r) => setTimeout(r, 25));
  }
});

test('models and embeddings', async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.ok(ids.includes('auto') && ids.includes('small'));
  assert.equal((await client.models.retrieve('small')).id, 'small');
  const { data } = await client.embeddings.create({ model: 'embedding', input: ['one', 'another'] });
  assert.equal(data.length, 2);
  assert.ok(data[0].embedding.length > 0 && data[0].embedding.every(Number.isFinite));
});
