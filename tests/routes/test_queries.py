"""Reading routes, and how one looks on the wire."""

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from routes.queries import find_routes, get_route, route_object
from tests.routes.builders import AZURE, OPENAI, a_route

pytestmark = pytest.mark.django_db


def test_a_route_looks_as_the_seed_has_it(key_id: str) -> None:
    route = a_route(
        key_id,
        name="r",
        path="/r",
        steps=[{**AZURE, "retries": 2, "retry_interval": "500ms", "timeout": "10s", "request_params": {"n": 1}}],
        cache_enabled=True,
        cache_ttl="5s",
        retry_strategy="exponential",
        request_format="openai_chat",
    )
    assert route_object(get_route(route.pk)) == {
        "id": str(route.pk),
        "createdAt": route.created_at,
        "updatedAt": route.updated_at,
        "name": "r",
        "path": "/r",
        "retryStrategy": "exponential",
        "requestFormat": "openai_chat",
        "operation": "chat",
        "deadline": "10m",
        "keyIds": [key_id],
        "steps": [
            {
                "retries": 2,
                "retryInterval": "500ms",
                "provider": "azure",
                "requestParams": {"n": 1},
                "params": AZURE["params"],
                "model": "gpt-4o",
                "timeout": "10s",
            }
        ],
        "cacheConfig": {"enabled": True, "ttl": "5s", "singleFlight": False},
    }


def test_routes_come_oldest_first_in_three_queries(key_id: str) -> None:
    made = []
    for number in range(3):
        with time_machine.travel(1_700_000_000 + number, tick=False):
            made.append(a_route(key_id, path=f"/{number}", steps=[OPENAI, AZURE]))
    with CaptureQueriesContext(connection) as queries:
        listed = [route_object(route) for route in find_routes()]
    assert [each["id"] for each in listed] == [str(route.pk) for route in made]
    assert len(queries) == 3
