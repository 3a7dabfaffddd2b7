"""What every relay needs, whole answers and streams alike."""

from dataclasses import dataclass
from typing import Protocol

from proxy.ledger import Ledger
from proxy.visit import Visit


class Closer(Protocol):
    """Closes the books of a visit; see stages/settle.py."""

    async def close(self, visit: Visit) -> None: ...


@dataclass(frozen=True, slots=True)
class RelayParts:
    """What a relay needs besides the request. logged_bytes: how much of a body may be stored."""

    settler: Closer
    ledger: Ledger
    logged_bytes: int
