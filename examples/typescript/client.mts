// Asks through busu with OpenAI's own client, and says what the answer was worth.
//
//     npm install openai
//     BUSU_URL=http://127.0.0.1:8000 node client.mts     (Node 22.18 or later; before, compile it with tsc)
import OpenAI from 'openai';

const busu = process.env.BUSU_URL ?? 'http://127.0.0.1:8000';
const key = process.env.BUSU_KEY ?? 'unused';
const client = new OpenAI({ baseURL: `${busu}/v1`, apiKey: key });

const answer = await client.chat.completions.create({
  model: 'auto', // busu chooses
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
  user: 'ada', // who asks: without a user nothing can be proven
});
console.log(answer.choices[0]?.message.content);
const usage = answer.usage as OpenAI.CompletionUsage & { cost_usd: number };
console.log(`${answer.model} answered for ${usage.cost_usd} USD`);

// What your user says of it; busu learns from that. In your product it comes minutes or days later: keep the id.
const feedback = await fetch(`${busu}/feedback`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${key}` },
  body: JSON.stringify({ request_id: answer._request_id, rating: 5, source: 'user' }),
});
if (!feedback.ok) throw new Error(`feedback: ${feedback.status} ${await feedback.text()}`);
console.log('feedback', ((await feedback.json()) as { status: string }).status);
