"""Asks through busu with OpenAI's own client, and says what the answer was worth.

    pip install openai
    BUSU_URL=http://127.0.0.1:8000 python3 client.py
"""
import json
import os
import urllib.request

from openai import OpenAI

busu = os.environ.get("BUSU_URL", "http://127.0.0.1:8000")
key = os.environ.get("BUSU_KEY", "unused")
client = OpenAI(base_url=busu + "/v1", api_key=key)

answer = client.chat.completions.create(
    model="auto",  # busu chooses
    messages=[{"role": "user", "content": "What is the capital of France?"}],
    user="ada",  # who asks: without a user nothing can be proven
)
print(answer.choices[0].message.content)
print(f"{answer.model} answered for {answer.usage.cost_usd} USD")

# What your user says of it; busu learns from that. In your product it comes minutes or days later: keep the id.
feedback = urllib.request.Request(
    busu + "/feedback",
    data=json.dumps({"request_id": answer._request_id, "rating": 5, "source": "user"}).encode(),
    headers={"Content-Type": "application/json", "Authorization": "Bearer " + key},
)
with urllib.request.urlopen(feedback) as response:
    print("feedback", json.load(response)["status"])
