"""Tests of Anthropic's dialect: errors, headers, and streams that fail."""

import anthropic
import pytest
from anthropic import Anthropic

from tests.fake_upstream.endpoints.test_messages import ASKED
from tests.upstream import Upstream


@pytest.mark.parametrize(
    ("fault", "raised", "kind"),
    [
        ("bad-status=400", anthropic.BadRequestError, "invalid_request_error"),
        ("bad-status=401", anthropic.AuthenticationError, "authentication_error"),
        ("bad-status=404", anthropic.NotFoundError, "not_found_error"),
        ("429=7", anthropic.RateLimitError, "rate_limit_error"),
        ("503", anthropic.ServiceUnavailableError, "api_error"),
        ("bad-status=529", anthropic.OverloadedError, "overloaded_error"),
    ],
)
def test_errors_are_in_its_words(
    claude: Anthropic, fault: str, raised: type[anthropic.APIStatusError], kind: str
) -> None:
    with pytest.raises(raised) as caught:
        claude.messages.create(**ASKED, extra_headers={"x-fake-fault": fault})
    assert caught.value.type == kind
    assert caught.value.request_id is not None
    assert caught.value.request_id.startswith("req_")
    assert caught.value.response.headers.get("retry-after") == ("7" if fault == "429=7" else None)


def test_a_wrong_key_is_refused_in_its_words(claude: Anthropic, upstream: Upstream) -> None:
    upstream.options(require_key="sk-right")
    with pytest.raises(anthropic.AuthenticationError) as caught:
        claude.messages.create(**ASKED)
    assert caught.value.type == "authentication_error"


@pytest.mark.parametrize("fault", ["error-event=2", "malformed=2"])
def test_a_stream_can_fail(claude: Anthropic, fault: str) -> None:
    with (
        pytest.raises((anthropic.APIStatusError, ValueError)),
        claude.messages.stream(**ASKED, extra_headers={"x-fake-fault": fault}) as stream,
    ):
        stream.until_done()


def test_answers_have_its_headers(claude: Anthropic) -> None:
    headers = claude.messages.with_raw_response.create(**ASKED).headers
    assert headers["request-id"].startswith("req_")
    assert "x-request-id" not in headers
    assert headers["anthropic-ratelimit-requests-limit"] == "4000"
