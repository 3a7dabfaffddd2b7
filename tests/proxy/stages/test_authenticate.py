"""Tests of who is calling."""

from pathlib import Path

import pytest
import time_machine

from gateway_project.shared.problems import Unauthenticated
from proxy.config import ProxyConfig
from proxy.key_directory import KeyDirectory
from proxy.stages.authenticate import MAX_SECRET_BYTES, authenticate, check_usable, secret_of
from tests.proxy.builders import incoming
from tests.proxy_gateway import PEPPER, PlainDoors, key


def signature(access_key: bytes) -> bytes:
    scope = b"/20261120/us-east-1/bedrock/aws4_request"
    return b"AWS4-HMAC-SHA256 Credential=" + access_key + scope + b", SignedHeaders=host;x-amz-date, Signature=0a"


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ([(b"authorization", b"Bearer abc")], "abc"),
        ([(b"authorization", b"bearer abc")], "abc"),
        ([(b"authorization", b"Token abc")], "abc"),
        ([(b"authorization", b"Bearer a secret with  spaces")], "a secret with  spaces"),
        ([(b"authorization", b"Bearer   abc  ")], "abc"),
        ([(b"authorization", "Bearer schlüssel€".encode())], "schlüssel€"),
        ([(b"authorization", b"Bearer \xff\xfe")], "\xff\xfe"),
        ([(b"api-key", b"abc")], "abc"),
        ([(b"x-api-key", b"abc")], "abc"),
        ([(b"authorization", b"Bearer 3"), (b"api-key", b"2"), (b"x-api-key", b"1")], "1"),
        ([(b"authorization", b"Bearer 3"), (b"api-key", b"2")], "2"),
        ([(b"authorization", b"Bearer 3"), (b"api-key", b"")], "3"),
        ([(b"x-api-key", b"first"), (b"x-api-key", b"second")], "first"),
        ([(b"authorization", signature(b"abc"))], "abc"),
        ([(b"authorization", signature(b"a/b, Signature=c"))], "a/b, Signature=c"),
        ([(b"authorization", signature(b"Credential=a/b, SignedHeaders=c"))], "Credential=a/b, SignedHeaders=c"),
        ([(b"authorization", signature(b"abc").replace(b", ", b","))], "abc"),
        ([(b"authorization", signature(b"3")), (b"x-api-key", b"1")], "1"),
    ],
)
def test_the_secret_is_everything_after_the_scheme(headers: list[tuple[bytes, bytes]], secret: str) -> None:
    assert secret_of(incoming(headers=headers)) == secret


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"abc")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Bearer")],
        [(b"x-api-key", b"x" * (MAX_SECRET_BYTES + 1))],
        [(b"x_api_key", b"abc")],
        [(b"authorization", signature(b""))],
        [(b"authorization", b"AWS4-HMAC-SHA256 abc")],
        [(b"authorization", b"AWS4-HMAC-SHA256 Credential=abc, SignedHeaders=host, Signature=0")],
    ],
)
def test_no_secret_is_told_how_to_send_one(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Unauthenticated) as caught:
        secret_of(incoming(headers=headers))
    assert caught.value.code == "missing_api_key"
    assert "Bearer KEY" in caught.value.detail


async def test_a_known_key_is_found_and_an_unknown_one_is_not_repeated() -> None:
    doors = PlainDoors()
    doors.put_key(key(revoked=True), "known")
    directory = KeyDirectory(ProxyConfig(peppers=(PEPPER,), spool_root=Path()), doors)
    assert (await authenticate(incoming(headers=[(b"api-key", b"known")]), directory)).revoked
    with pytest.raises(Unauthenticated) as caught:
        await authenticate(incoming(headers=[(b"api-key", b"a-wrong-one")]), directory)
    assert caught.value.code == "invalid_api_key"
    assert "a-wrong-one" not in caught.value.detail


def test_a_revoked_key_is_refused_with_its_reason() -> None:
    with pytest.raises(Unauthenticated, match="revoked: left the team") as caught:
        check_usable(key(revoked=True, revoked_reason="left the team"))
    assert caught.value.code == "key_revoked"
    with pytest.raises(Unauthenticated, match=r"revoked\.$"):
        check_usable(key(revoked=True))


@time_machine.travel(1_800_000_000, tick=False)
def test_a_key_ends_at_its_second() -> None:
    check_usable(key())
    check_usable(key(expires_at=1_800_000_001))
    for expires_at in (1_800_000_000, 1, 0):
        with pytest.raises(Unauthenticated) as caught:
            check_usable(key(expires_at=expires_at))
        assert caught.value.code == "key_expired"
