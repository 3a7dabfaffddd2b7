"""Shapes on the wire become fields of the services."""

import pytest

from routes.api.serializers import changed_fields, created_fields
from routes.rules import RouteInvalid
from tests.routes.builders import a_body


def test_a_create_becomes_the_fields_of_the_service() -> None:
    body = a_body("k", retryStrategy="exponential", requestFormat="openai_chat", deadline="5s")
    body["steps"] = [
        {
            "provider": "openai",
            "model": "m",
            "retryInterval": "1s",
            "timeout": "2s",
            "retries": 1,
            "requestParams": {"n": 1, "stop": None},
            "params": {"a": None},
        }
    ]
    body["cacheConfig"] = {"enabled": True, "ttl": "5s", "singleFlight": True}
    assert created_fields(body) == {
        "name": body["name"],
        "path": body["path"],
        "key_ids": ["k"],
        "steps": [
            {
                "provider": "openai",
                "model": "m",
                "retry_interval": "1s",
                "timeout": "2s",
                "retries": 1,
                "request_params": {"n": 1},
                "params": {},
            }
        ],
        "retry_strategy": "exponential",
        "request_format": "openai_chat",
        "deadline": "5s",
        "cache_enabled": True,
        "cache_ttl": "5s",
        "cache_single_flight": True,
    }


def test_a_change_has_only_what_was_sent() -> None:
    assert changed_fields({}) == {}
    assert changed_fields({"name": None, "steps": None, "cacheConfig": None}) == {}
    assert changed_fields({"cacheConfig": {"ttl": "5s", "enabled": None}}) == {"cache_ttl": "5s"}


def test_positions_are_written_as_the_seed_writes_them() -> None:
    body = a_body("k", steps=[{"provider": "openai", "model": "m"}, {"provider": "openai", "model": ["m"]}])
    with pytest.raises(RouteInvalid) as caught:
        created_fields(body)
    assert caught.value.fields == ("steps.[1].model",)
    assert caught.value.detail == "fields [steps.[1].model] are invalid: steps.[1].model: must be a string"


def test_a_null_inside_a_request_parameter_stays() -> None:
    fields = changed_fields({"steps": [{"provider": "p", "model": "m", "requestParams": {"a": {"b": None}}}]})
    assert fields["steps"][0]["request_params"] == {"a": {"b": None}}
