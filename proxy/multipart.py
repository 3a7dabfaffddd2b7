"""Reads the plain fields of a multipart/form-data body without touching its files (RFC 7578, RFC 2046).

Servers read forms each in their own lenient way. What two of them could read differently is refused here, where the
gateway acts on it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from gateway_project.shared.problems import BadRequest

_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"\\]{1,200})"|([^";,\s]{1,200}))\s*(?:;|\Z)', re.IGNORECASE)
_TOKEN = rb"[!#$%&'*+.^_`|~\w-]+"
_DISPOSITION = re.compile(
    rb"\s*form-data((?:\s*;\s*" + _TOKEN + rb'=(?:"(?:[^"\\]|\\.)*"|[^";\s]*))*)\s*;?\s*', re.IGNORECASE
)
_PARAMETER = re.compile(rb";\s*(" + _TOKEN + rb')=(?:"((?:[^"\\]|\\.)*)"|([^";\s]*))')
_PLAIN_ENCODINGS = (b"7bit", b"8bit", b"binary")
_MAX_PARTS = 1000
_MAX_HEAD_BYTES = 16 * 1024
_MAX_FIELD_BYTES = 64 * 1024
# The fields the gateway acts on.
CHECKED = frozenset(
    {"model", "stream", "stream_options", "n", "best_of", "user", "size", "quality", "service_tier",
     "max_tokens", "max_completion_tokens", "max_output_tokens"}
)  # fmt: skip


class _Head(NamedTuple):
    """plain: its value is the text as it stands, neither a file nor encoded."""

    name: str
    plain: bool


def form_fields(content: bytes, content_type: str) -> dict[str, str]:
    """Values of the parts that are no files. Raises BadRequest for a form that cannot be read, or that could be
    read in two ways where the gateway reads it."""
    fields: dict[str, str] = {}
    seen: set[str] = set()
    for start, end in _parts(content, b"--" + _boundary(content_type)):
        head_end = content.find(b"\r\n\r\n", start, min(end, start + _MAX_HEAD_BYTES))
        if head_end < 0:
            raise _unreadable("a part has no end of its headers")
        head = _head(content[start:head_end])
        if head.name in CHECKED:
            if head.name in seen:
                raise BadRequest(f"The form has the field {head.name} twice.", code="duplicate_member")
            if not head.plain or end - head_end > _MAX_FIELD_BYTES:
                raise BadRequest(f"The field {head.name} must be a plain value.", code="bad_multipart")
            seen.add(head.name)
        if head.plain and end - head_end <= _MAX_FIELD_BYTES:
            fields[head.name] = content[head_end + 4 : end].decode("utf-8", "replace")
    return fields


def _boundary(content_type: str) -> bytes:
    found = _BOUNDARY.search(content_type)
    if found is None or content_type.lower().count("boundary") != 1:
        raise _unreadable("its content-type has no boundary, or more than one")
    boundary: str = found[1] or found[2]
    return boundary.encode("latin-1")


def _parts(content: bytes, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Where each part, its headers included, begins and ends."""
    position = 0 if content.startswith(delimiter) else content.find(b"\r\n" + delimiter) + 2
    if position == 1:
        raise _unreadable("its boundary does not occur")
    for _ in range(_MAX_PARTS):
        position += len(delimiter)
        if content.startswith(b"--", position):
            return
        if not content.startswith(b"\r\n", position):
            raise _unreadable("a boundary goes on after its end")
        end = content.find(b"\r\n" + delimiter, position)
        if end < 0:
            raise _unreadable("it has no end")
        yield position + 2, end
        position = end + 2
    raise _unreadable(f"it has more than {_MAX_PARTS} parts")


def _head(lines: bytes) -> _Head:
    disposition = None
    plain = True
    for line in lines.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") or b"\n" in line or b"\r" in line:
            raise _unreadable("a header of a part is folded")
        name, _, value = line.partition(b":")
        name = name.strip().lower()
        if name == b"content-disposition":
            if disposition is not None:
                raise _unreadable("a part has two content-dispositions")
            disposition = value
        elif name == b"content-transfer-encoding":
            plain = plain and value.strip().lower() in _PLAIN_ENCODINGS
    return _with_parameters(disposition, plain)


def _with_parameters(disposition: bytes | None, plain: bool) -> _Head:
    form_data = _DISPOSITION.fullmatch(disposition) if disposition is not None else None
    if form_data is None:
        raise _unreadable("a part has no content-disposition that can be read")
    name = None
    for key, quoted, bare in _PARAMETER.findall(form_data[1]):
        if key.lower() == b"name":
            if name is not None or b"\\" in quoted:
                raise _unreadable("a part has a name that can be read in two ways")
            name = quoted or bare
        elif key.lower() in (b"name*", b"name*0", b"name*0*"):
            raise _unreadable("a part has an encoded name")
        elif key.lower().startswith(b"filename"):
            plain = False
    if not name:
        raise _unreadable("a part has no name")
    return _Head(name.decode("utf-8", "replace"), plain)


def _unreadable(why: str) -> BadRequest:
    return BadRequest(f"The multipart body cannot be read: {why}.", code="bad_multipart")
