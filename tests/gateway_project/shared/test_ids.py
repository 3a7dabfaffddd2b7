import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from gateway_project.shared.ids import event_id_of, new_event_id, new_id


def test_a_row_id_is_a_random_uuid() -> None:
    assert new_id().version == 4
    assert new_id() != new_id()


def test_an_event_id_is_a_version_7_uuid_of_now() -> None:
    event_id = uuid.UUID(new_event_id())
    assert event_id.version == 7
    assert event_id.variant == uuid.RFC_4122
    assert abs((event_id.int >> 80) - time.time() * 1000) < 5000


def test_an_event_id_can_follow_from_what_it_is_of() -> None:
    at = 1_700_000_000
    event_id = uuid.UUID(event_id_of(at, "batch_1"))
    assert (event_id.version, event_id.variant, event_id.int >> 80) == (7, uuid.RFC_4122, at * 1000)
    assert event_id_of(at, "batch_1") == str(event_id)
    assert len({event_id_of(at, "batch_1"), event_id_of(at, "batch_2"), event_id_of(at + 1, "batch_1")}) == 3


def test_event_ids_sort_by_time() -> None:
    first = new_event_id()
    time.sleep(0.005)
    assert first < new_event_id()


def test_event_ids_do_not_repeat() -> None:
    assert len({new_event_id() for _ in range(10_000)}) == 10_000


def test_threads_that_draw_at_once_never_draw_the_same() -> None:
    def many(_: int) -> list[str]:
        return [new_event_id() for _ in range(5_000)]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            drawn = [event_id for ids in pool.map(many, range(8)) for event_id in ids]
    finally:
        sys.setswitchinterval(interval)
    assert len(set(drawn)) == len(drawn) == 40_000
