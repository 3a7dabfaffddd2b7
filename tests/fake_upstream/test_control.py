"""Tests of the control endpoints, through what other tests use."""

import httpx
import pytest

from tests.upstream import Upstream


def test_it_shows_a_request_as_it_came(upstream: Upstream) -> None:
    httpx.post(f"{upstream.url}/v1/x%20y?q=%2F", content=b"\x00\xff", headers={"X-Case": "Kept", "x-fake-fault": "503"})
    seen = upstream.last()
    assert (seen.method, seen.target, seen.body, seen.status) == ("POST", "/v1/x%20y?q=%2F", b"\x00\xff", 503)
    assert ("X-Case", "Kept") in seen.headers


def test_it_counts_and_forgets(upstream: Upstream) -> None:
    for _ in range(3):
        httpx.get(f"{upstream.base_url}/models")
    assert (upstream.count(), len(upstream.requests(2))) == (3, 2)
    upstream.reset()
    assert (upstream.count(), upstream.requests()) == (0, [])


def test_it_counts_without_recording(upstream: Upstream) -> None:
    upstream.options(record=False)
    httpx.get(f"{upstream.base_url}/models")
    assert (upstream.count(), upstream.requests()) == (1, [])


def test_it_changes_options_until_the_reset(upstream: Upstream) -> None:
    upstream.options(require_key="sk-new")
    assert httpx.get(f"{upstream.base_url}/models").status_code == 401
    upstream.reset()
    assert httpx.get(f"{upstream.base_url}/models").status_code == 200


@pytest.mark.parametrize("fault", ["nonsense", "cut=many"])
def test_it_refuses_a_fault_that_it_does_not_know(upstream: Upstream, fault: str) -> None:
    with pytest.raises(ValueError, match=r"nonsense|many"):
        upstream.fail(fault)


def test_it_has_no_other_endpoints(upstream: Upstream) -> None:
    assert httpx.get(f"{upstream.url}/__control/nothing").status_code == 404
