// Vercel's AI SDK, unmodified, with another base URL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateObject, generateText, streamText, tool } from 'ai';
import { z } from 'zod';
import { base } from './busu.mjs';

const busu = createOpenAICompatible({ name: 'busu', baseURL: `${base}/v1`, apiKey: 'unused', supportsStructuredOutputs: true, includeUsage: true });
const prompt = 'What is the capital of France?';

test('generateText', async () => {
  const { text, usage, finishReason } = await generateText({ model: busu('auto'), prompt });
  assert.ok(text.length > 0);
  assert.equal(finishReason, 'stop');
  assert.ok(usage.totalTokens > 0);
});

test('streamText', async () => {
  const result = streamText({ model: busu('auto'), prompt, onError: ({ error }) => { throw error; } });
  let text = '';
  for await (const piece of result.textStream) text += piece;
  assert.ok(text.length > 0);
  assert.equal(await result.finishReason, 'stop');
  assert.ok((await result.usage).outputTokens > 0);
});

test('generateObject', async () => {
  const { object } = await generateObject({
    model: busu('large'), prompt, schema: z.object({ city: z.string(), rivers: z.array(z.string()) }),
  });
  assert.equal(typeof object.city, 'string');
  assert.ok(Array.isArray(object.rivers));
});

test('tools', async () => {
  let called = 0;
  const { steps } = await generateText({
    model: busu('auto'), prompt, toolChoice: 'required',
    tools: { capital: tool({
      description: 'The capital of a country', inputSchema: z.object({ country: z.string() }),
      execute: async ({ country }) => { called++; return `of ${country}`; },
    }) },
  });
  assert.equal(called, 1);
  assert.equal(steps[0].toolCalls[0].toolName, 'capital');
});

test('errors are not retried where it is no use', async () => {
  await assert.rejects(generateText({ model: busu('refuses'), prompt }), (e) => e.statusCode === 400 && /too salty/.test(e.message));
});

test('abort', async () => {
  const controller = new AbortController();
  const result = streamText({ model: busu('endless'), prompt, abortSignal: controller.signal });
  for await (const part of result.fullStream) {
    if (part.type === 'text-delta') controller.abort();
    if (part.type === 'abort') return;
  }
  assert.fail('the stream was not aborted');
});
