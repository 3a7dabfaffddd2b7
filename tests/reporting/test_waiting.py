"""What waits in the spools."""

from pathlib import Path

from reporting.services import Batch, store_batch
from reporting.spool import SpoolWriter
from reporting.waiting import Waiting, waiting_events
from tests.reporting.builders import AT, a_record, payload_of


def test_nothing_waits_where_there_is_no_spool(tmp_path: Path) -> None:
    assert waiting_events(tmp_path / "none", AT) == Waiting()


def test_it_tells_how_much_waits_and_for_how_long(database: str, root: Path, writer: SpoolWriter) -> None:
    first = payload_of(a_record())
    position = writer.append(first)
    end = writer.append(payload_of(a_record(created_at=AT + 30)))
    waiting = waiting_events(root, AT + 100)
    assert (waiting.spools, waiting.depth_bytes, waiting.age_s) == (1, end, 100)
    store_batch(batch=Batch("one", 0, position), payloads=[first])
    waiting = waiting_events(root, AT + 100)
    assert (waiting.depth_bytes, waiting.age_s) == (end - position, 70)


def test_nothing_waits_when_all_is_stored(database: str, root: Path, writer: SpoolWriter) -> None:
    payload = payload_of(a_record())
    store_batch(batch=Batch("one", 0, writer.append(payload)), payloads=[payload])
    assert waiting_events(root, AT) == Waiting(spools=1)


def test_a_broken_record_is_not_this_pages_problem(database: str, root: Path, writer: SpoolWriter) -> None:
    writer.append(b"{not json")
    assert waiting_events(root, AT).age_s == 0
    assert waiting_events(root, AT).depth_bytes > 0
