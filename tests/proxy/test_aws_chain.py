"""Tests of the gateway's own AWS identity, found by Amazon's own library."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway_project.shared.problems import Unavailable
from providers.adapters.aws_identity import AwsIdentity
from providers.adapters.aws_signing import AwsCredentials
from providers.records import ProviderRecord
from proxy import aws_chain
from proxy.aws_chain import ChainKeeper, StandardChain
from proxy.snapshot import Snapshot, SnapshotHolder


def holder(**parameters: str) -> SnapshotHolder:
    snapshots = SnapshotHolder()
    setting = ProviderRecord(id="s", provider="bedrock", parameters={"awsRegion": "us-east-1", **parameters})
    snapshots.replace(Snapshot(1, {"s": setting}, {}))
    return snapshots


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which the chain finds nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return monkeypatch


def test_the_environment_is_asked(bare: pytest.MonkeyPatch) -> None:
    chain = StandardChain()
    assert chain() is None
    bare.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert chain() == AwsCredentials("AKIA", "secret", "")


def test_profiles_are_asked(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = "[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = s\naws_session_token = t\n"
    (tmp_path / "credentials").write_text(text)
    bare.setenv("AWS_PROFILE", "work")
    assert StandardChain()() == AwsCredentials("AKIAWORK", "s", "t")


@contextmanager
def role_service(lasts: timedelta) -> Iterator[tuple[str, list[str]]]:
    """Temporary credentials over HTTP, new ones at each call, as a container's role has them."""
    given: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given.append(f"ASIA{len(given) + 1}")
            until = (datetime.now(UTC) + lasts).strftime("%Y-%m-%dT%H:%M:%SZ")
            body = json.dumps(
                {"AccessKeyId": given[-1], "SecretAccessKey": "s", "Token": "t", "Expiration": until}
            ).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/role", given
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_roles_credentials_are_kept_and_renewed_before_they_end(bare: pytest.MonkeyPatch) -> None:
    with role_service(timedelta(hours=6)) as (url, given):
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        chain = StandardChain()
        assert [chain(), chain()] == [AwsCredentials("ASIA1", "s", "t")] * 2
        assert given == ["ASIA1"]
    with role_service(timedelta(minutes=9)) as (url, given):
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        chain = StandardChain()
        first, second = chain(), chain()
        assert first is not None
        assert second is not None
        assert first.access_key != second.access_key


async def test_the_chain_is_asked_only_while_a_setting_wants_it() -> None:
    asked: list[int] = []

    def chain() -> AwsCredentials:
        asked.append(1)
        return AwsCredentials("AKIA", "s")

    identity, snapshots = AwsIdentity(), holder()
    keeper = ChainKeeper(snapshots, identity, chain)
    await keeper.start()
    assert asked == []
    with pytest.raises(Unavailable):
        identity.credentials()
    snapshots.replace(holder(awsCredentialChain="true").current)
    await keeper.look()
    await keeper.look()
    assert asked == [1]
    assert identity.credentials().access_key == "AKIA"


async def test_what_was_found_stays_when_asking_again_fails() -> None:
    answers: list[AwsCredentials | Exception | None] = [AwsCredentials("AKIA", "s"), OSError("no route"), None]

    def chain() -> AwsCredentials | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    identity = AwsIdentity()
    keeper = ChainKeeper(holder(awsCredentialChain="true"), identity, chain)
    for _ in range(2):
        keeper._next_at = 0.0
        await keeper.look()
        assert identity.credentials().access_key == "AKIA"
    keeper._next_at = 0.0
    await keeper.look()
    with pytest.raises(Unavailable):
        identity.credentials()


async def test_a_slow_chain_holds_up_neither_the_start_nor_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def chain() -> AwsCredentials:
        release.wait(10)
        return AwsCredentials("AKIA", "s")

    monkeypatch.setattr(aws_chain, "START_TIMEOUT_S", 0.05)
    identity = AwsIdentity()
    keeper = ChainKeeper(holder(awsCredentialChain="true"), identity, chain)
    began = time.monotonic()
    await keeper.start()
    assert time.monotonic() - began < 5
    with pytest.raises(Unavailable):
        identity.credentials()
    release.set()
    await keeper.look()
    assert identity.credentials().access_key == "AKIA"


async def test_it_goes_on_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_chain, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(aws_chain, "ASK_EVERY_S", 0.0)
    asked = asyncio.Event()
    count = 0

    def chain() -> AwsCredentials:
        nonlocal count
        count += 1
        if count == 3:
            loop.call_soon_threadsafe(asked.set)
        return AwsCredentials("AKIA", "s")

    loop = asyncio.get_running_loop()
    running = asyncio.create_task(ChainKeeper(holder(awsCredentialChain="true"), AwsIdentity(), chain).run())
    async with asyncio.timeout(10):
        await asked.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
