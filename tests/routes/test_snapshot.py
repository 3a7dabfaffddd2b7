"""Routes as the request path sees them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from keys.services import delete_key
from routes.models import Route, RouteStep
from routes.records import CacheRecord, RouteRecord, RouteStepRecord
from routes.services import delete_route, purge_cache, update_route
from routes.snapshot import load_routes
from tests.routes.builders import AZURE, OPENAI, a_route

pytestmark = pytest.mark.django_db


def test_it_loads_a_route_whole(key_id: str, openai_key_id: str) -> None:
    route = a_route(
        key_id,
        name="r",
        path="/r",
        key_ids=[key_id],
        steps=[
            {**OPENAI, "retries": 2, "retry_interval": "500ms", "timeout": "1m30s", "request_params": {"n": 1}},
            AZURE,
        ],
        retry_strategy="exponential",
        deadline="90s",
        cache_enabled=True,
        cache_ttl="1500ms",
        cache_single_flight=True,
    )
    assert load_routes() == {
        "/r": RouteRecord(
            id=str(route.pk),
            name="r",
            path="/r",
            operation="chat",
            steps=(
                RouteStepRecord(
                    provider="openai",
                    model="gpt-4o-mini",
                    request_params={"n": 1},
                    retries=2,
                    retry_interval_s=0.5,
                    timeout_s=90.0,
                ),
                RouteStepRecord(provider="azure", model="gpt-4o", params=AZURE["params"]),
            ),
            key_ids=frozenset([key_id]),
            retry_strategy="exponential",
            deadline_s=90.0,
            cache=CacheRecord(ttl_s=2, single_flight=True, epoch=0),
        )
    }


def test_the_defaults_are_those_of_the_records(key_id: str) -> None:
    a_route(key_id, path="/r", steps=[OPENAI])
    record = load_routes()["/r"]
    assert record.steps == (RouteStepRecord(provider="openai", model="gpt-4o-mini"),)
    plain = RouteRecord(id=record.id, name=record.name, path="/r", operation="chat", steps=record.steps)
    assert (record.retry_strategy, record.deadline_s, record.cache) == (
        plain.retry_strategy, plain.deadline_s, plain.cache,
    )  # fmt: skip


def test_it_follows_changes_purges_and_deletions(key_id: str) -> None:
    route = a_route(key_id, path="/old", cache_enabled=True)
    purge_cache(route.pk)
    cache = load_routes()["/old"].cache
    assert cache is not None
    assert cache.epoch == 1
    update_route(route.pk, path="/new")
    assert list(load_routes()) == ["/new"]
    delete_key(key_id)
    assert load_routes()["/new"].key_ids == frozenset()
    delete_route(route.pk)
    assert load_routes() == {}


def test_it_takes_three_queries_however_many_there_are(key_id: str, openai_key_id: str) -> None:
    for number in range(5):
        a_route(key_id, path=f"/{number}", steps=[OPENAI] * number or [AZURE])
    with CaptureQueriesContext(connection) as queries:
        assert len(load_routes()) == 5
    assert len(queries) == 3


@pytest.mark.parametrize(
    "damage",
    [{"deadline_text": "soon"}, {"cache_ttl_text": ""}],
)
def test_it_leaves_out_a_damaged_route_and_says_so(key_id: str, damage: dict[str, str]) -> None:
    good, bad = a_route(key_id, path="/good"), a_route(key_id, path="/bad")
    Route.objects.filter(pk=bad.pk).update(**damage)
    with capture_logs() as logs:
        assert [record.id for record in load_routes().values()] == [str(good.pk)]
    assert [(entry["event"], entry["log_level"], entry["route_id"]) for entry in logs] == [
        ("route_left_out", "error", str(bad.pk))
    ]


def test_it_leaves_out_a_route_whose_step_is_damaged(key_id: str) -> None:
    route = a_route(key_id)
    RouteStep.objects.filter(route=route).update(timeout_text="5 m")
    with capture_logs() as logs:
        assert load_routes() == {}
    assert len(logs) == 1


def test_a_route_without_steps_answers_nobody(key_id: str) -> None:
    route = a_route(key_id)
    RouteStep.objects.filter(route=route).delete()
    assert load_routes() == {}
