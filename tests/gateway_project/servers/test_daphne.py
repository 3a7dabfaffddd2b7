import httpx
import pytest

from tests.gateway_project.servers.served_app import MAX_BODY_BYTES, TOO_LARGE
from tests.gateway_project.servers.server_contract import Served, ServerContract

KIND = "daphne"


class TestDaphne(ServerContract):
    """Daphne holds whole bodies before the application sees any, so the limit is its own."""

    def test_a_body_announced_as_too_large_is_refused_at_once(self, served: Served) -> None:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 999999999\r\n\r\n"
        with served.connection(head) as client:
            assert client.recv(1000).startswith(b"HTTP/1.1 413 ")

    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_body_that_is_too_large_gets_its_answer(self, served: Served, chunked: bool) -> None:
        body = b"x" * (MAX_BODY_BYTES + 1)
        answer = httpx.post(served.url, content=iter([body]) if chunked else body)
        assert answer.status_code == 413
        assert answer.content == TOO_LARGE
        assert answer.headers["x-gateway-error"] == "true"

    def test_a_body_of_the_limit_passes(self, served: Served) -> None:
        assert httpx.post(served.url, content=b"x" * MAX_BODY_BYTES).text == f"127.0.0.1 {MAX_BODY_BYTES}"
