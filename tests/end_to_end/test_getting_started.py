"""A stranger follows BricksLLM's "Getting Started" word for word, and finds every request, token and cent."""

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end import seed_text
from tests.end_to_end.books import wait_until
from tests.end_to_end.gateways import Whole
from tests.end_to_end.prices import GPT_4, GPT_35_TURBO

pytestmark = pytest.mark.end_to_end

IN_THE_BOOKS_WITHIN_S = 3.0
NODE_CALLS = """
const messages = [{ role: "user", content: "Say something" }];
const plain = await openai.chat.completions.create({ model: "gpt-3.5-turbo", messages });
console.log(JSON.stringify({ id: plain._request_id, usage: plain.usage, text: plain.choices[0].message.content }));
const { data: stream, request_id } = await openai.chat.completions
  .create({ model: "gpt-3.5-turbo", messages, stream: true, stream_options: { include_usage: true } })
  .withResponse();
let text = "", usage = null;
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
console.log(JSON.stringify({ id: request_id, usage, text }));
"""


@dataclass(frozen=True)
class Told:
    """An answer as a client saw it, and what it must have cost, in nano-dollars."""

    status: int
    headers: dict[str, str]
    body: Any
    prices: tuple[int, int] = GPT_35_TURBO

    @property
    def usage(self) -> tuple[int, int]:
        """(prompt, completion) tokens; none in a refusal."""
        usage = self.body.get("usage") or {}
        return usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)

    @property
    def cost_nano(self) -> int:
        return self.usage[0] * self.prices[0] + self.usage[1] * self.prices[1]


@dataclass
class Stranger:
    """Types what the seed says into a shell; only the ports are replaced, where 8001 and 8002 are taken."""

    whole: Whole
    directory: Path
    began_at: int = field(default_factory=lambda: int(time.time()))

    def text(self, seed: str) -> str:
        process = self.whole.process
        return seed.replace(":8001/", f":{process.admin_port}/").replace(":8002/", f":{process.proxy_port}/")

    def types(self, seed: str) -> Told:
        return (_curled if shutil.which("curl") else _sent)(self.text(seed), self.directory)

    def finds_in_the_books(self, key_id: str, told: list[Told]) -> None:
        """Events, report and spend hold what the answers said, three seconds after the last of them."""
        admin, end = self.whole.admin, int(time.time()) + 60
        events: list[Any] = []

        def stored() -> bool:
            events[:] = admin.get("/api/events", keyIds=key_id, start=self.began_at, end=end)
            return len(events) >= len(told)

        wait_until(stored, IN_THE_BOOKS_WITHIN_S, "not all events were in the books")
        assert {event["id"] for event in events} == {each.headers["x-request-id"] for each in told}
        by_id = {event["id"]: event for event in events}
        for each in told:
            event = by_id[each.headers["x-request-id"]]
            assert event["status"] == each.status
            assert (event["prompt_token_count"], event["completion_token_count"]) == each.usage
            assert round(event["cost_in_usd"] * 1e9) == each.cost_nano
        body = {"keyIds": [key_id], "start": self.began_at, "end": end, "increment": 3600}
        points = admin.post("/api/reporting/events", body)["dataPoints"]
        assert sum(point["numberOfRequests"] for point in points) == len(told)
        assert sum(point["promptTokenCount"] for point in points) == sum(each.usage[0] for each in told)
        assert sum(point["completionTokenCount"] for point in points) == sum(each.usage[1] for each in told)
        spent_nano = sum(each.cost_nano for each in told)
        assert round(sum(point["costInUsd"] for point in points) * 1e9) == spent_nano
        spend = admin.get(f"/api/reporting/keys/{key_id}")
        assert round(spend["costInMicroDollars"] * 1000) == round(spend["costInUsd"] * 1e9) == spent_nano


@pytest.fixture
def stranger(embedded: Whole, tmp_path: Path) -> Stranger:
    return Stranger(embedded, tmp_path)


def test_the_seeds_steps_work_word_for_word(stranger: Stranger) -> None:
    admin = stranger.whole.admin
    setting = stranger.types(seed_text.STEP_4)
    assert setting.status == 200
    # The one thing the seed does not say: where its provider is today.
    address = {"apikey": "YOUR_OPENAI_KEY", "url": stranger.whole.upstream.url}
    admin.patch(f"/api/provider-settings/{setting.body['id']}", {"setting": address})
    key = stranger.types(seed_text.STEP_5.replace("ID_FROM_STEP_FOUR", setting.body["id"]))
    assert key.status == 200
    wait_for_room_in_the_minute()
    told = [stranger.types(seed_text.REQUEST) for _ in range(3)]
    assert [each.status for each in told] == [200, 200, 429]
    assert all(each.body["choices"][0]["message"]["content"] for each in told[:2])
    assert 0 < int(told[2].headers["retry-after"]) <= 60
    stranger.finds_in_the_books(key.body["keyId"], told)
    admin.change_key(key.body["keyId"], rateLimitOverTime=0, rateLimitUnit="")
    time.sleep(1)
    told += spend_it_all(stranger)
    assert told[-1].status == 402
    assert told[-1].headers["x-should-retry"] == "false"
    spent_nano = sum(each.cost_nano for each in told)
    assert 190_000_000 < spent_nano <= 250_000_000
    stranger.finds_in_the_books(key.body["keyId"], told)


def test_the_seeds_node_snippet_runs_unchanged(stranger: Stranger) -> None:
    install_npm_openai(stranger.directory)
    key_id = stranger.whole.new_key("some-secret-key")
    program = stranger.directory / "snippet.mjs"
    program.write_text(stranger.text(seed_text.NODE) + NODE_CALLS)
    done = subprocess.run(
        ["node", program], cwd=stranger.directory, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    plain, streamed = (json.loads(line) for line in done.stdout.splitlines())
    assert plain["text"]
    assert streamed["text"]
    told = [Told(200, {"x-request-id": each["id"]}, each) for each in (plain, streamed)]
    assert all(sum(each.usage) for each in told)
    stranger.finds_in_the_books(key_id, told)


def wait_for_room_in_the_minute() -> None:
    """Windows are minutes of the clock: three requests must fall into one."""
    left_s = 60 - time.time() % 60
    if left_s < 8:
        time.sleep(left_s)


def spend_it_all(stranger: Stranger) -> list[Told]:
    """Costly requests until one is refused."""
    told: list[Told] = []
    body = {"model": "gpt-4", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": "Bearer my-secret-key", "x-fake-fault": "tokens=1000"}
    while not told or (told[-1].status == 200 and len(told) < 10):
        url = f"{stranger.whole.url}/api/providers/openai/v1/chat/completions"
        answer = httpx.post(url, json=body, headers=headers, timeout=20, trust_env=False)
        told.append(Told(answer.status_code, dict(answer.headers), answer.json(), GPT_4))
    return told


def install_npm_openai(directory: Path) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no node and npm on this machine")
    command = ["npm", "install", "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=20000", "openai"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=90)
    if done.returncode:
        pytest.skip(f"npm cannot install openai: {done.stderr.strip().splitlines()[:1]}")


def _curled(command: str, directory: Path) -> Told:
    """Run in a shell as it stands. Its configuration file adds the answer's head to what curl prints."""
    (directory / ".curlrc").write_text("silent\nshow-error\ninclude\n")
    environment = {**os.environ, "CURL_HOME": str(directory), "NO_PROXY": "*"}
    done = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    status_line, *lines = head.splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Told(int(status_line.split()[1]), headers, json.loads(body))


def _sent(command: str, _directory: Path) -> Told:
    """The same without curl."""
    method, url = re.findall(r"curl -X (\w+) (\S+)", command)[0]
    headers = dict(re.findall(r'-H "([^:]+): ([^"]+)"', command))
    body = re.findall(r"-d '(.*)'", command, re.DOTALL)[0]
    answer = httpx.request(method, url, headers=headers, content=body, trust_env=False)
    return Told(answer.status_code, dict(answer.headers), answer.json())
