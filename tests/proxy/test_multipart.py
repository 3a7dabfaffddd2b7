"""Tests of reading a form's plain fields, and of refusing forms that can be read in two ways."""

import io
import tracemalloc

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_project.shared.problems import BadRequest
from proxy.multipart import form_fields

TYPE = "multipart/form-data; boundary=XX"
MODEL = b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
FILE = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\x00\xff\r\n'
END = b"--XX--\r\n"


def part(disposition: str, value: bytes = b"gpt-4o", *more: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: {disposition}", *more])
    return b"--XX\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"


def test_it_reads_fields_and_leaves_files_alone() -> None:
    assert form_fields(MODEL + FILE + END, TYPE) == {"model": "whisper-1"}


def test_it_reads_what_a_real_client_writes() -> None:
    files = {"file": ('odd "name" é.wav', io.BytesIO(b"--XX\r\n" + bytes(range(256))), "audio/wav")}
    data = {"model": "whisper-1", "timestamp_granularities[]": ["word", "segment"], "prompt": "ü\r\n\r\nx"}
    request = httpx.Request("POST", "http://x", data=data, files=files)
    fields = form_fields(request.read(), request.headers["content-type"])
    assert (fields["model"], fields["prompt"]) == ("whisper-1", "ü\r\n\r\nx")
    assert "file" not in fields


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text("abcxyz_-[]", min_size=1), st.text(), max_size=5), st.binary(max_size=500))
def test_it_reads_any_form_of_a_real_client(data: dict[str, str], content: bytes) -> None:
    request = httpx.Request("POST", "http://x", data=data, files={"the file": content})
    fields = form_fields(request.read(), request.headers["content-type"])
    assert fields == data


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="XX"',
        "multipart/form-data;boundary=XX",
        "multipart/form-data; charset=utf-8; Boundary=XX",
        "multipart/form-data; boundary=XX; charset=utf-8",
    ],
)
def test_it_finds_the_boundary(content_type: str) -> None:
    assert form_fields(MODEL + END, content_type) == {"model": "whisper-1"}


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=XX; boundary=YY",
        "multipart/form-data; boundary=XX, application/json",
        "multipart/form-data; boundary=XX\nmultipart/form-data; boundary=YY",
        'multipart/form-data; boundary="X\\X"',
        "multipart/form-data; boundary=YY",
        "multipart/form-data; boundary*=utf-8''XX",
    ],
)
def test_it_refuses_a_boundary_that_is_none_or_two(content_type: str) -> None:
    with pytest.raises(BadRequest):
        form_fields(MODEL + END, content_type)


@pytest.mark.parametrize(
    "content",
    [
        MODEL + MODEL + END,
        MODEL + part("form-data; name=model") + END,
        MODEL + part('FORM-DATA ; NAME="model"') + END,
        MODEL + part('form-data; name="user"') + part('form-data; name="user"') + END,
    ],
)
def test_a_field_the_gateway_reads_may_be_there_once(content: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        form_fields(content, TYPE)
    assert caught.value.code == "duplicate_member"


@pytest.mark.parametrize(
    "content",
    [
        part('form-data; name="model"; filename="x"'),
        part('form-data; filename="x"; name="model"'),
        part("form-data; name=model; filename=x"),
        part("form-data; name=\"model\"; filename*=utf-8''x"),
        part('form-data; name="model"', b"Z3B0LTRv", "Content-Transfer-Encoding: base64"),
        part('form-data; name="model"', b"gpt=2D4o", "content-transfer-encoding:quoted-printable"),
        part('form-data; name="model"', b"x" * 100_000),
    ],
)
def test_the_model_is_a_plain_field(content: bytes) -> None:
    with pytest.raises(BadRequest, match="model must be a plain value"):
        form_fields(content + END, TYPE)


@pytest.mark.parametrize(
    "content",
    [
        part("form-data; name*=utf-8''model"),
        part("form-data; name*0=mod; name*1=el"),
        part('form-data; name="prompt"; name="model"'),
        part('form-data; name="mo\\del"'),
        part('form-data; name="a\\"; name="model"'),
        part('form-data; name="model'),
        part("form-data"),
        part('form-data; name=""'),
        part('attachment; name="model"'),
        part('form-data; name="x"\r\n ; name="model"'),
        part('form-data; name="x"', b"", 'Content-Disposition: form-data; name="model"'),
        b'--XX\r\nContent-Type: text/plain; name="model"\r\n\r\nx\r\n',
        b'--XX\nContent-Disposition: form-data; name="model"\n\ngpt-4o\n',
        b'--XX\r\nContent-Disposition: form-data; name="model"\n\ngpt-4o\r\n',
        b'--XX \r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-4o\r\n',
        b'--XXY\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-4o\r\n',
        b"--XX\r\n\r\nno headers\r\n",
        FILE + b'--XXY\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n',
    ],
)
def test_it_refuses_what_servers_read_differently(content: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        form_fields(content + END, TYPE)
    assert caught.value.code == "bad_multipart"


def test_a_name_in_another_header_is_no_name() -> None:
    content = (
        b'--XX\r\nContent-Type: text/plain; name="model"\r\nContent-Disposition: form-data; name="user"\r\n\r\nme\r\n'
    )
    assert form_fields(content + END, TYPE) == {"user": "me"}


@pytest.mark.parametrize("content", [MODEL, MODEL + FILE, MODEL + b"--XX", MODEL[:-2] + b"\n--XX--"])
def test_it_refuses_a_form_without_an_end(content: bytes) -> None:
    with pytest.raises(BadRequest):
        form_fields(content, TYPE)


def test_what_stands_before_and_after_the_form_is_not_read() -> None:
    other = part('form-data; name="model"')
    assert form_fields(b"preamble\r\n" + MODEL + END + other, TYPE) == {"model": "whisper-1"}


def test_a_boundary_within_a_line_is_content() -> None:
    content = part('form-data; name="file"; filename="x"', b"a--XX\r\nb --XX--") + MODEL
    assert form_fields(content + END, TYPE) == {"model": "whisper-1"}


def test_it_refuses_more_parts_than_any_form_has() -> None:
    with pytest.raises(BadRequest, match="1000 parts"):
        form_fields(part('form-data; name="x"') * 1001 + END, TYPE)


def test_a_large_file_is_not_copied() -> None:
    content = part('form-data; name="file"; filename="x"', bytes(20_000_000)) + MODEL + END
    tracemalloc.start()
    try:
        assert form_fields(content, TYPE) == {"model": "whisper-1"}
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
