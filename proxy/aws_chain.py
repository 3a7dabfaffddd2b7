"""Keeps the gateway's own AWS identity fresh, off the event loop and ahead of time, while a setting asks for it."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from gateway_project.shared import clock
from providers.adapters.aws_identity import IDENTITY, AwsIdentity
from providers.adapters.aws_signing import AwsCredentials
from providers.catalog import AWS_CHAIN
from proxy.snapshot import Snapshot, SnapshotHolder

LOOK_EVERY_S = 0.25
# Amazon's library renews temporary credentials a quarter of an hour before they end, when it is asked for them.
ASK_EVERY_S = 30.0
ASK_AGAIN_S = 5.0
# Starting waits so long for the first answer; a metadata service that is not there takes a second or two.
START_TIMEOUT_S = 10.0

logger = structlog.get_logger("proxy.aws_chain")


class StandardChain:
    """The chain of Amazon's library: environment, profiles, web identity, container and instance roles. Blocks."""

    def __init__(self) -> None:
        self._found: Any = None

    def __call__(self) -> AwsCredentials | None:
        """Current credentials, renewed where they have to be; None when the chain finds none."""
        # Half a second and 40 MB, for installations that use it only.
        from botocore.session import Session  # noqa: PLC0415

        if self._found is None:
            self._found = Session().get_credentials()
        if self._found is None:
            return None
        frozen = self._found.get_frozen_credentials()
        return AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token or "")


class ChainKeeper:
    """Asks the chain now and then, in a thread, as long as a setting of the current configuration signs with it."""

    def __init__(
        self,
        snapshots: SnapshotHolder,
        identity: AwsIdentity = IDENTITY,
        chain: Callable[[], AwsCredentials | None] | None = None,
    ) -> None:
        self._snapshots = snapshots
        self._identity = identity
        self._chain = chain or StandardChain()
        self._seen: Snapshot | None = None
        self._wanted = False
        self._next_at = 0.0

    async def start(self) -> None:
        """The first look, so that the first request has what it needs. Returns in time in any case."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self.look()
        except TimeoutError:
            logger.warning("aws_credentials_late", waited_s=START_TIMEOUT_S)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Ask the chain if it is wanted and time to."""
        snapshot = self._snapshots.current
        if snapshot is not self._seen:
            self._seen = snapshot
            self._wanted = any(AWS_CHAIN in setting.parameters for setting in snapshot.settings.values())
        if self._wanted and clock.perf() >= self._next_at:
            self._next_at = clock.perf() + (ASK_EVERY_S if await self._ask() else ASK_AGAIN_S)

    async def _ask(self) -> bool:
        try:
            found = await asyncio.to_thread(self._chain)
        except Exception as error:  # noqa: BLE001 -- every link of the chain has errors of its own; all mean "not now"
            # What was found before stays: its end is for Amazon to decide.
            logger.error("aws_credentials_failed", reason=f"{type(error).__name__}: {error}")
            return False
        if found is None:
            logger.error("aws_credentials_missing", reason="the chain found none")
        self._identity.take(found)
        return found is not None
