"""OpenAI's own Python client, unmodified, with another base URL."""

import asyncio
import json
import os
import time
import unittest
import urllib.request

from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI
from pydantic import BaseModel

BASE = os.environ["BUSU_URL"] + "/v1"
MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def canceled() -> int:
    with urllib.request.urlopen(os.environ["VENDOR_URL"] + "/canceled") as answer:
        return int(answer.read())


class TestOpenAI(unittest.TestCase):
    def setUp(self) -> None:
        self.client = OpenAI(base_url=BASE, api_key="unused", max_retries=0)
        self.addCleanup(self.client.close)

    def test_chat(self) -> None:
        raw = self.client.chat.completions.with_raw_response.create(model="auto", messages=MESSAGES, user="ada")
        answer = raw.parse()
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertTrue(answer.choices[0].message.content)
        self.assertGreater(answer.usage.cost_usd, 0)
        self.assertEqual(raw.headers["x-busu-model"], "small")

    def test_stream(self) -> None:
        text, usage = "", None
        for chunk in self.client.chat.completions.create(
            model="auto", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        ):
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
            usage = chunk.usage or usage
        self.assertTrue(text)
        self.assertGreater(usage.completion_tokens, 0)
        self.assertGreater(usage.cost_usd, 0)

    def test_async_stream(self) -> None:
        async def run() -> str:
            async with AsyncOpenAI(base_url=BASE, api_key="unused") as client:
                stream = await client.chat.completions.create(model="auto", messages=MESSAGES, stream=True)
                return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

        self.assertTrue(asyncio.run(run()))

    def test_tools(self) -> None:
        answer = self.client.chat.completions.create(
            model="auto", messages=MESSAGES, tools=[WEATHER], tool_choice="required"
        )
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        self.assertIsInstance(json.loads(call.function.arguments)["city"], str)
        after = self.client.chat.completions.create(
            model="auto",
            tools=[WEATHER],
            messages=[*MESSAGES, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "21"}],
        )
        self.assertTrue(after.choices[0].message.content)

    def test_structured_output(self) -> None:
        class City(BaseModel):
            name: str
            people: int

        answer = self.client.chat.completions.parse(model="large", messages=MESSAGES, response_format=City)
        self.assertIsInstance(answer.choices[0].message.parsed, City)

    def test_errors(self) -> None:
        with self.assertRaises(NotFoundError) as missing:
            self.client.chat.completions.create(model="gpt-none", messages=MESSAGES)
        self.assertEqual(missing.exception.code, "model_not_found")
        with self.assertRaises(BadRequestError) as wrong:
            self.client.chat.completions.create(model="auto", messages=[])
        self.assertEqual(wrong.exception.param, "messages")
        with self.assertRaisesRegex(BadRequestError, "too salty"):
            self.client.chat.completions.create(model="refuses", messages=MESSAGES)

    def test_retries(self) -> None:
        patient = self.client.with_options(max_retries=3)
        answer = patient.chat.completions.create(model="flaky", messages=MESSAGES, user=f"py-{os.getpid()}")
        self.assertEqual(answer.choices[0].message.content, "third time lucky")

    def test_abort_reaches_the_vendor(self) -> None:
        before = canceled()
        stream = self.client.chat.completions.create(model="endless", messages=MESSAGES, stream=True)
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        stream.close()
        deadline = time.monotonic() + 5
        while canceled() == before:
            self.assertLess(time.monotonic(), deadline, "the vendor never heard that the client had left")
            time.sleep(0.025)

    def test_models_and_embeddings(self) -> None:
        self.assertIn("auto", [m.id for m in self.client.models.list()])
        vectors = self.client.embeddings.create(model="embedding", input=["one", "another"])
        self.assertEqual(len(vectors.data), 2)
        self.assertTrue(all(isinstance(x, float) for x in vectors.data[0].embedding))


if __name__ == "__main__":
    unittest.main()
