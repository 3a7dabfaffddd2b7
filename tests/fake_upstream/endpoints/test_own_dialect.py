"""Tests of the dialect that nobody else speaks."""

import httpx
import pytest

from tests.upstream import Upstream

REQUEST = {"engine": {"name": "m-1"}, "input": {"turns": [{"say": "hello"}]}, "most": 2}


def test_it_answers_in_pieces(upstream: Upstream) -> None:
    assert httpx.post(f"{upstream.url}/own/generate", json=REQUEST).json() == {"result": {"pieces": ["The", " quick"]}}
    told = httpx.post(f"{upstream.url}/own/lines", json={**REQUEST, "told": True}).json()
    assert told["usage"] == {"input_tokens": 1000, "output_tokens": 2}


@pytest.mark.parametrize(("path", "frame"), [("generate", "data: {}\n\n"), ("lines", "{}\n")])
def test_a_stream_goes_on_after_its_end_word(upstream: Upstream, path: str, frame: str) -> None:
    answer = httpx.post(f"{upstream.url}/own/{path}", json={**REQUEST, "live": True, "silent": 1, "told": True})
    said = (
        *('{"began":true}', '{"piece":""}', '{"thinking":true}', '{"piece":"The"}', '{"piece":" quick"}'),
        *('{"usage":{"input_tokens":1000,"output_tokens":2}}', "<<end>>", '{"piece":" of nobody\'s business"}'),
    )
    assert answer.text == "".join(frame.format(each) for each in said)


def test_it_wants_something_said(upstream: Upstream) -> None:
    assert httpx.post(f"{upstream.url}/own/generate", json={"input": {}}).status_code == 400
