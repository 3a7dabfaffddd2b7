"""Events, reports and spend over REST, member by member as the seed has them."""

import base64
import statistics
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from pytest_django import Settings

from keys.services import create_key
from providers.services import create_setting
from reporting.api import views
from reporting.records import UsageEventRecord
from reporting.services import Batch, store_batch
from tests.reporting.builders import AT, a_record, payload_of
from tests.rest_resource import RestClient, assert_error, stopped_database

pytestmark = [pytest.mark.django_db, pytest.mark.urls("reporting.api.urls")]

EVENTS, REPORT = "/api/events", "/api/reporting/events"
ONE, TWO = "0d6b6c80-77b8-4c9a-8c33-8a6c0f6f3a11", "5f4dcc3b-5aa7-45d6-9d83-27deb882cf99"
SEED_EVENT: dict[str, type] = {
    "id": str,
    "created_at": int,
    "tags": list,
    "key_id": str,
    "cost_in_usd": float,
    "model": str,
    "provider": str,
    "status": int,
    "prompt_token_count": int,
    "completion_token_count": int,
    "latency_in_ms": int,
    "path": str,
    "method": str,
    "custom_id": str,
}
SEED_POINT: dict[str, type] = {
    "timeStamp": int,
    "numberOfRequests": int,
    "costInUsd": float,
    "latencyInMs": int,
    "promptTokenCount": int,
    "completionTokenCount": int,
    "successCount": int,
    "keyId": str,
    "model": str,
    "customId": str,
    "userId": str,
}


@pytest.fixture(autouse=True)
def access(settings: Settings) -> None:
    settings.ADMIN_PASS = ""


@pytest.fixture
def rest() -> RestClient:
    return RestClient()


def store(*records: UsageEventRecord) -> None:
    assert store_batch(batch=Batch(str(uuid4()), 0, 1), payloads=[payload_of(record) for record in records])


def events(rest: RestClient, **query: Any) -> Any:
    return rest.get(f"{EVENTS}?{urlencode(query, doseq=True)}")


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [event["custom_id"] for event in response.json()]


def report(rest: RestClient, **members: Any) -> Any:
    body = {"start": AT, "end": AT + 3600, "increment": 3600, **members}
    return rest.post(REPORT, **{name: value for name, value in body.items() if value is not ...})


class TestEvents:
    def test_an_event_has_the_members_of_the_seed(self, rest: RestClient) -> None:
        record = a_record(key_id=ONE, custom_id="mine", cost_nano=1_500_000, latency_ms=321)
        store(record)

        (event,) = events(rest, customId="mine").json()

        assert {name: type(event[name]) for name in SEED_EVENT} == SEED_EVENT
        assert (
            event.items()
            >= {
                "id": record.id,
                "created_at": AT,
                "tags": ["team-a"],
                "key_id": ONE,
                "cost_in_usd": 0.0015,
                "model": "gpt-4o",
                "provider": "openai",
                "status": 200,
                "prompt_token_count": 13,
                "completion_token_count": 5,
                "latency_in_ms": 321,
                "path": "/api/providers/openai/v1/chat/completions",
                "method": "POST",
                "custom_id": "mine",
                "request": None,
                "response": None,
            }.items()
        )

    def test_an_event_has_our_members_after_them(self, rest: RestClient) -> None:
        record = a_record(
            custom_id="mine",
            ending="client_left",
            time_to_first_chunk_ms=7,
            upstream_latency_ms=90,
            user_id="u",
            attempts=2,
            usage_source="counted",
        )
        store(record)

        (event,) = events(rest, customId="mine").json()

        assert (
            event.items()
            >= {
                "request_id": record.id,
                "ending": "client_left",
                "admitted": True,
                "attempts": 2,
                "time_to_first_chunk_ms": 7,
                "upstream_latency_in_ms": 90,
                "userId": "u",
                "cached_token_count": 3,
                "reasoning_token_count": 2,
                "usage_source": "counted",
                "price_status": "priced",
            }.items()
        )
        assert event["usage"].items() >= {"inputTokens": 10, "cacheReadTokens": 3, "outputTokens": 5}.items()

    def test_bodies_and_metadata_are_base64_as_the_seeds_bytes(self, rest: RestClient) -> None:
        store(a_record(custom_id="mine", request_body='{"a": "ä"}', response_body="{}", metadata="note"))

        (event,) = events(rest, customId="mine").json()

        kept = [base64.b64decode(event[name]).decode() for name in ("request", "response", "metadata")]
        assert kept == ['{"a": "ä"}', "{}", "note"]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"customId": "b"}, "b"),
            ({"userId": "u"}, "ca"),
            ({"keyIds": ONE, "start": AT, "end": AT + 5}, "ba"),
            ({"keyIds": [ONE, TWO], "start": AT, "end": AT + 5}, "cba"),
            ({"keyIds": f"{ONE},{TWO}", "start": AT, "end": AT + 5}, "cba"),
            ({"keyIds": ONE, "start": AT + 1, "end": AT + 1}, "b"),
            ({"keyIds": ONE, "userId": "u", "start": AT, "end": AT + 5}, "a"),
            ({"keyIds": "no-uuid", "start": AT, "end": AT + 5}, ""),
            ({"customId": "b", "start": AT + 2}, ""),
        ],
    )
    def test_filters_hold_together_and_both_ends_count(
        self, rest: RestClient, query: dict[str, Any], found: str
    ) -> None:
        store(
            a_record(key_id=ONE, custom_id="a", user_id="u", created_at=AT),
            a_record(key_id=ONE, custom_id="b", created_at=AT + 1),
            a_record(key_id=TWO, custom_id="c", user_id="u", created_at=AT + 2),
        )

        assert ids(events(rest, **query)) == list(found)

    @pytest.mark.parametrize(
        ("query", "type_", "names"),
        [
            ({}, "no-filters-empty", "customId, userId and keyIds"),
            ({"start": AT, "end": AT}, "no-filters-empty", "keyIds"),
            ({"keyIds": ONE, "end": AT}, "query-param-start-missing", "start"),
            ({"keyIds": ONE, "start": AT}, "query-param-end-missing", "end"),
            ({"keyIds": ONE, "start": "now", "end": AT}, "bad-start-query-param", "start"),
            ({"keyIds": ONE, "start": AT, "end": "-1"}, "bad-end-query-param", "end"),
            ({"customId": "a", "limit": "many"}, "validation", "limit"),
        ],
    )
    def test_what_is_missing_or_wrong_is_named(
        self, rest: RestClient, query: dict[str, Any], type_: str, names: str
    ) -> None:
        error = assert_error(events(rest, **query), 400, names=names, instance=EVENTS)

        assert error["type"] == f"/errors/{type_}"

    def test_a_page_is_bounded_and_says_where_the_next_is(self, rest: RestClient) -> None:
        store(*(a_record(user_id="u", custom_id=str(number), created_at=AT + number) for number in range(5)))

        first = events(rest, userId="u", limit=2)
        second = rest.get(first["Link"].partition("<")[2].partition(">")[0])
        last = rest.get(second["Link"].partition("<")[2].partition(">")[0])

        assert [ids(page) for page in (first, second, last)] == [["4", "3"], ["2", "1"], ["0"]]
        assert "Link" not in last

    def test_a_page_of_large_bodies_ends_early(self, rest: RestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(views, "PAGE_BYTES", 2_500)
        store(*(a_record(user_id="u", request_body="x" * 1_000, created_at=AT + number) for number in range(6)))

        page = events(rest, userId="u")

        assert (len(page.json()), "offset=3" in page["Link"]) == (3, True)


class TestReport:
    def test_two_calls_are_one_bucket_with_two_requests(self, rest: RestClient) -> None:
        store(a_record(key_id=ONE, latency_ms=100), a_record(key_id=ONE, latency_ms=300))

        answer = report(rest, keyIds=[ONE]).json()

        first, last = answer["dataPoints"]
        assert {name: type(first[name]) for name in SEED_POINT} == SEED_POINT
        assert first == {
            "timeStamp": AT,
            "numberOfRequests": 2,
            "costInUsd": 2e-6,
            "latencyInMs": 400,
            "promptTokenCount": 26,
            "completionTokenCount": 10,
            "successCount": 2,
            "model": "",
            "keyId": "",
            "customId": "",
            "userId": "",
        }
        assert (last["timeStamp"], last["numberOfRequests"]) == (AT + 3600, 0)
        assert (answer["latencyInMsMedian"], answer["latencyInMs99th"]) == (200.0, 298.0)

    def test_it_equals_the_sums_of_the_events(self, rest: RestClient) -> None:
        store(
            *(
                a_record(key_id=ONE, latency_ms=n * 7, cost_nano=n, status=200 + n % 2 * 300, created_at=AT + n * 97)
                for n in range(60)
            )
        )
        listed = events(rest, keyIds=ONE, start=AT, end=AT + 7200).json()

        answer = report(rest, keyIds=[ONE], end=AT + 7200, increment=600).json()

        sums = [name for name, kind in SEED_POINT.items() if kind is not str]
        summed = {name: sum(point[name] for point in answer["dataPoints"]) for name in sums}
        assert summed["numberOfRequests"] == len(listed) == 60
        assert summed["costInUsd"] == pytest.approx(sum(event["cost_in_usd"] for event in listed))
        assert summed["promptTokenCount"] == sum(event["prompt_token_count"] for event in listed)
        assert summed["completionTokenCount"] == sum(event["completion_token_count"] for event in listed)
        assert summed["successCount"] == sum(event["status"] == 200 for event in listed)
        assert answer["latencyInMsMedian"] == statistics.median(event["latency_in_ms"] for event in listed)

    @pytest.mark.parametrize("name", ["model", "keyId", "customId", "userId"])
    def test_it_groups_by_what_filters_names(self, rest: RestClient, name: str) -> None:
        store(a_record(key_id=ONE, request_model="m", custom_id="c", user_id="u"))
        value = {"model": "m", "keyId": ONE, "customId": "c", "userId": "u"}[name]

        first, last = report(rest, filters=[name]).json()["dataPoints"]

        assert {other: first[other] for other in ("model", "keyId", "customId", "userId")} == {
            **dict.fromkeys(("model", "keyId", "customId", "userId"), ""),
            name: value,
        }
        assert last[name] == ""

    @pytest.mark.parametrize(
        ("members", "requests"),
        [
            ({}, 3),
            ({"keyIds": []}, 3),
            ({"keyIds": None, "tags": None, "filters": None}, 3),
            ({"keyIds": [ONE]}, 2),
            ({"keyIds": ONE}, 2),
            ({"tags": ["x"]}, 2),
            ({"tags": ["x", "y"]}, 1),
            ({"customIds": ["a", "c"]}, 2),
            ({"userIds": ["u"]}, 1),
            ({"start": str(AT)}, 3),
        ],
    )
    def test_it_counts_only_the_events_asked_for(
        self, rest: RestClient, members: dict[str, Any], requests: int
    ) -> None:
        store(
            a_record(key_id=ONE, custom_id="a", tags=("x",)),
            a_record(key_id=ONE, custom_id="b", tags=("x", "y"), user_id="u"),
            a_record(key_id=TWO, custom_id="c", tags=()),
        )

        assert report(rest, **members).json()["dataPoints"][0]["numberOfRequests"] == requests

    @pytest.mark.parametrize(
        ("members", "names"),
        [
            ({"start": ...}, "start"),
            ({"start": 0}, "start"),
            ({"start": "yesterday"}, "start"),
            ({"end": ...}, "end"),
            ({"end": AT}, "end"),
            ({"end": AT - 1}, "end"),
            ({"increment": ...}, "increment"),
            ({"increment": 0}, "increment"),
            ({"increment": -5}, "increment"),
            ({"increment": 1, "end": AT + 10**7}, "increment"),
            ({"filters": ["colour"]}, "filters"),
            ({"keyIds": [1]}, "keyIds"),
            ({"tags": [""]}, "tags"),
        ],
    )
    def test_what_is_missing_or_wrong_is_named(self, rest: RestClient, members: dict[str, Any], names: str) -> None:
        error = assert_error(report(rest, **members), 400, names=names, instance=REPORT)

        assert (error["type"], error["title"]) == ("/errors/invalid-reporting-request", "invalid reporting request")

    @pytest.mark.parametrize("body", [b"", b"{", b"[]"])
    def test_a_body_that_is_no_json_object_is_refused(self, rest: RestClient, body: bytes) -> None:
        assert assert_error(rest.send("POST", REPORT, body), 400)["type"] == "/errors/json-unmarshal"


class TestKeySpend:
    @pytest.fixture
    def key_id(self, settings: Settings) -> str:
        settings.KEY_PEPPERS = (("test", b"p" * 32),)
        settings.DATA_KEYS = (("test", b"d" * 32),)
        setting = create_setting(provider="openai", setting={"apikey": "sk-test"}, name="one")
        key, _ = create_key(name="a key", setting_ids=[str(setting.id)])
        return str(key.id)

    def test_it_is_what_the_books_say(self, rest: RestClient, key_id: str) -> None:
        store(a_record(key_id=key_id, cost_nano=1_500_000), a_record(key_id=key_id, cost_nano=500_000))

        answer = rest.get(f"/api/reporting/keys/{key_id}").json()

        assert answer == {"id": key_id, "costInMicroDollars": 2000, "costInUsd": 0.002}

    def test_a_fraction_of_a_micro_dollar_is_not_lost(self, rest: RestClient, key_id: str) -> None:
        store(a_record(key_id=key_id, cost_nano=1_500))

        assert rest.get(f"/api/reporting/keys/{key_id}").json()["costInMicroDollars"] == 1.5

    def test_a_new_key_has_spent_nothing(self, rest: RestClient, key_id: str) -> None:
        assert rest.get(f"/api/reporting/keys/{key_id}").json()["costInMicroDollars"] == 0

    def test_a_deleted_key_keeps_its_spend(self, rest: RestClient) -> None:
        store(a_record(key_id=ONE, cost_nano=7_000))

        assert rest.get(f"/api/reporting/keys/{ONE}").json()["costInMicroDollars"] == 7

    @pytest.mark.parametrize("unknown", [TWO, "no-uuid"])
    def test_an_unknown_key_is_404(self, rest: RestClient, unknown: str) -> None:
        path = f"/api/reporting/keys/{unknown}"

        assert_error(rest.get(path), 404, names=unknown, instance=path)


CALLS = [("GET", f"{EVENTS}?customId=a"), ("POST", REPORT), ("GET", f"/api/reporting/keys/{ONE}")]
BODY = b'{"start": 1, "end": 2, "increment": 1}'


@pytest.mark.parametrize(("method", "path"), CALLS)
class TestEveryEndpoint:
    def test_it_wants_the_admin_password(self, rest: RestClient, settings: Settings, method: str, path: str) -> None:
        settings.ADMIN_PASS = "open sesame"

        assert_error(rest.send(method, path, BODY), 401)

    def test_it_answers_only_this_machine_without_a_password(self, rest: RestClient, method: str, path: str) -> None:
        assert_error(rest.send(method, path, BODY, REMOTE_ADDR="192.0.2.1"), 403)

    @pytest.mark.django_db(transaction=True)
    def test_it_answers_503_in_the_seeds_body_while_the_database_is_down(
        self, rest: RestClient, method: str, path: str
    ) -> None:
        with stopped_database():
            assert_error(rest.send(method, path, BODY), 503, names="database")

    def test_it_tolerates_a_slash_at_the_end(self, rest: RestClient, method: str, path: str) -> None:
        store(a_record(key_id=ONE))
        route, _, query = path.partition("?")

        assert rest.send(method, f"{route}/?{query}", BODY).status_code == 200
