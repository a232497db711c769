// Anthropic's own client, unmodified, with another base URL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { base, canceled } from './busu.mjs';

const client = new Anthropic({ baseURL: base, apiKey: 'unused', maxRetries: 0 });
const asked = { model: 'auto', max_tokens: 300, messages: [{ role: 'user', content: 'What is the capital of France?' }] };

test('message', async () => {
  const { data, response } = await client.messages.create(asked).withResponse();
  assert.equal(data.type, 'message');
  assert.equal(data.stop_reason, 'end_turn');
  assert.ok(data.content[0].text.length > 0);
  assert.ok(data.usage.output_tokens > 0 && data.usage.cost_usd > 0);
  assert.equal(response.headers.get('x-busu-strategy'), 'complexity');
  assert.equal(data._request_id, response.headers.get('x-request-id'));
});

test('stream', async () => {
  const stream = client.messages.stream(asked);
  let text = '';
  stream.on('text', (t) => { text += t; });
  const final = await stream.finalMessage();
  assert.equal(final.content[0].text, text);
  assert.equal(final.stop_reason, 'end_turn');
  assert.ok(final.usage.output_tokens > 0);
});

test('tools', async () => {
  const tools = [{
    name: 'get_weather', description: 'The weather of a city',
    input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  }];
  for (const make of [(r) => client.messages.create(r), (r) => client.messages.stream(r).finalMessage()]) {
    const message = await make({ ...asked, tools, tool_choice: { type: 'any' } });
    const use = message.content.find((b) => b.type === 'tool_use');
    assert.equal(message.stop_reason, 'tool_use');
    assert.equal(use.name, 'get_weather');
    assert.equal(typeof use.input.city, 'string');
  }
});

test('errors', async () => {
  await assert.rejects(client.messages.create({ ...asked, model: 'claude-none' }),
    (e) => e instanceof Anthropic.NotFoundError && e.error.error.type === 'not_found_error');
  await assert.rejects(client.messages.create({ ...asked, messages: [] }),
    (e) => e instanceof Anthropic.BadRequestError && e.error.error.type === 'invalid_request_error');
});

test('retries', async () => {
  const patient = client.withOptions({ maxRetries: 3 });
  const message = await patient.messages.create({ ...asked, model: 'claude-flaky', metadata: { user_id: `js-${process.pid}` } });
  assert.equal(message.content[0].text, 'third time lucky');
});

test('abort reaches the vendor', async () => {
  const before = await canceled();
  const stream = client.messages.stream({ ...asked, model: 'claude-endless' });
  stream.on('text', () => stream.abort());
  await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
  for (let i = 0; (await canceled()) === before; i++) {
    assert.ok(i < 200, 'the vendor never heard that the client had left');
    await new Promise((r) => setTimeout(r, 25));
  }
});

test('models', async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.ok(ids.includes('auto') && ids.includes('small'));
});
