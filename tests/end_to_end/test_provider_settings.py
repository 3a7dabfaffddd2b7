"""Providers as an operator sets them up over REST, in a whole gateway."""

import json
from typing import Any

import httpx
import openai
import pytest
from openai import AzureOpenAI, OpenAI

from tests.end_to_end.books import wait_until
from tests.end_to_end.gateways import Whole

pytestmark = pytest.mark.end_to_end

HI: Any = [{"role": "user", "content": "hi"}]
# A chat has 8 tokens in and 16 out; USD per million tokens of the bundled list: 2.5 in and 10 out, half in a batch.
CHAT_NANO = 8 * 2_500 + 16 * 10_000
BATCH_LINE_NANO = CHAT_NANO // 2


def new_setting(whole: Whole, provider: str, **setting: str) -> str:
    return str(whole.admin.put("/api/provider-settings", {"provider": provider, "setting": setting})["id"])


def answered(call: Any) -> bool:
    """Whether a call is answered: what was just stored reaches traffic within a second."""
    try:
        call()
    except openai.APIStatusError as error:
        if error.status_code in (401, 403):
            return False
        raise
    return True


def test_a_deployment_on_azure_is_priced_as_its_model(embedded: Whole) -> None:
    deployments = json.dumps({"Prod": "gpt-4o"})
    setting = new_setting(
        embedded, "azure", url=embedded.upstream.url, apikey="azure-secret", deploymentModels=deployments
    )
    stored = embedded.admin.get("/api/provider-settings", ids=setting)[0]
    assert stored["setting"] == {"url": embedded.upstream.url, "deploymentModels": deployments}
    key_id = embedded.admin.new_key("secret for azure", setting, costLimitInUsd=1)
    with AzureOpenAI(
        api_key="secret for azure",
        azure_endpoint=f"{embedded.url}/api/providers/azure",
        api_version="2024-10-21",
        max_retries=0,
    ) as client:
        # The provider calls the deployment by its own name, which has no price.
        wait_until(lambda: answered(lambda: client.chat.completions.create(model="prod", messages=HI)), 5, "no answer")
    embedded.books.wait_until_all_is_stored()
    requests, cost_nano = embedded.books.total(key_id)
    assert (requests, cost_nano) == (1, CHAT_NANO)


def test_a_row_of_the_catalogue_is_served(embedded: Whole) -> None:
    setting = new_setting(embedded, "ollama", url=embedded.upstream.url)
    embedded.admin.new_key("secret for ollama", setting)
    base_url = f"{embedded.url}/api/providers/ollama/v1"
    with OpenAI(api_key="secret for ollama", base_url=base_url, max_retries=0) as client:
        ask = client.chat.completions.create
        wait_until(lambda: answered(lambda: ask(model="llama3.3", messages=HI)), 5, "no answer")
        chunks = list(ask(model="llama3.3", messages=HI, stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_limit_on_cost_holds_after_a_batch(embedded: Whole) -> None:
    key_id = embedded.new_key("secret for batches", costLimitInUsd=BATCH_LINE_NANO / 1e9, allowUnmetered=True)
    base_url = f"{embedded.url}/api/providers/openai/v1"
    body = {"model": "gpt-4o", "messages": HI}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    with OpenAI(api_key="secret for batches", base_url=base_url, max_retries=0) as client:
        wait_until(lambda: answered(client.models.list), 5, "no answer")
        kept = client.files.create(file=("b.jsonl", json.dumps(line).encode()), purpose="batch")
        batch = client.batches.create(input_file_id=kept.id, endpoint="/v1/chat/completions", completion_window="24h")
        for _ in range(3):
            assert client.batches.retrieve(batch.id).status == "completed"
    # The counters have been told to ask the books; until then nothing else was spent.
    wait_until(lambda: httpx.get(f"{embedded.url}/ready").json()["unsettled"] == 0, 10, "the counters were not told")
    headers = {"authorization": "Bearer secret for batches"}
    refused = httpx.post(f"{base_url}/chat/completions", json={**body, "max_tokens": 1}, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "cost_limit_reached")
    embedded.books.wait_until_all_is_stored()
    assert embedded.books.total(key_id)[1] == BATCH_LINE_NANO
    costs = [event.cost_nano for event in embedded.books.events(key_id) if not event.admitted and event.status == 200]
    assert costs == [BATCH_LINE_NANO]
