"""The pages of events: where they are, what is put on them and read off them."""

from reporting.records import UsageEventRecord
from reporting.services import Batch, store_batch
from tests.reporting.builders import payload_of

EVENTS = "/admin/reporting/usageevent/"


def store(*records: UsageEventRecord) -> None:
    assert store_batch(batch=Batch("one", 0, 1), payloads=[payload_of(record) for record in records])


def models(text: str) -> list[str]:
    """Which of the models M1, M2, … a page shows."""
    return [name for name in (f"M{number}" for number in range(1, 10)) if f">{name}<" in text]
