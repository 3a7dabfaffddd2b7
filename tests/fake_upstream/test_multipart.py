"""Tests of the form reader."""

from fake_upstream.multipart import parse_form

BODY = (
    b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="image[]"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n\x00--\r\n"
    b"--xyz--\r\n"
)


def test_it_reads_fields_and_files() -> None:
    form = parse_form('multipart/form-data; boundary="xyz"', BODY)
    assert form is not None
    file = form.file("image")
    assert file is not None
    assert (form.text("model"), file.filename, file.content) == ("whisper-1", "a.png", b"\x89PNG\r\n\x00--")


def test_it_has_no_form_when_the_content_type_is_another() -> None:
    assert parse_form("application/json", b"{}") is None


def test_it_says_empty_for_a_missing_field() -> None:
    form = parse_form("multipart/form-data; boundary=xyz", BODY)
    assert form is not None
    assert (form.text("nothing"), form.file("nothing")) == ("", None)
