from gateway_project.shared.counters import Admitted, Balance, CounterId, Limit, Refused
from gateway_project.shared.redis_counters import RedisCounters
from reporting.records import Charge, UsageEventRecord
from reporting.takeover import amounts_of, settle_records

KEY_ID = "00000000-0000-4000-8000-000000000001"
SUBJECT = f"key:{KEY_ID}"
TOTAL = CounterId("cost", "total", 0, 0)
FOREVER_S = 3600


def record(**changes: object) -> UsageEventRecord:
    values = {
        "id": "01a1fa78-b86b-74c0-88b2-69c25cc5d023",
        "created_at": 1_700_000_000,
        "key_id": KEY_ID,
        "method": "POST",
        "path": "/",
        "status": 200,
        "ending": "completed",
        "requests": 1,
        "charges": (Charge("total", 0, 0), Charge("m", 1_700_000_000, 3)),
        "cost_nano": 70,
    }
    return UsageEventRecord(**{**values, **changes})  # type: ignore[arg-type]


def test_a_record_counts_in_each_of_its_windows_both_as_a_request_and_with_its_cost() -> None:
    assert amounts_of(record()) == {
        CounterId("requests", "total", 0, 0): 1,
        TOTAL: 70,
        CounterId("requests", "m", 1_700_000_000, 3): 1,
        CounterId("cost", "m", 1_700_000_000, 3): 70,
    }


async def test_the_reservation_of_a_dead_process_becomes_what_was_spent(redis_url: str) -> None:
    counters = RedisCounters(redis_url)
    limit = Limit(TOTAL, 0, 100, 100)
    ticket = await counters.begin_rebuild(SUBJECT)
    await counters.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 0}))
    assert isinstance(await counters.admit(SUBJECT, record().id, [limit], FOREVER_S), Admitted)
    await settle_records(counters, [record(), record(id="refused", requests=0)])
    await settle_records(counters, [record()])
    refusal = await counters.admit(SUBJECT, "next", [limit], FOREVER_S)
    assert isinstance(refusal, Refused)
    assert (refusal.used, refusal.reserved) == (70, 0)
    await counters.close()
