"""Read multipart/form-data, enough for what SDKs send."""

import re
from dataclasses import dataclass

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb'[; ]name="([^"]*)"')
_FILENAME = re.compile(rb'filename="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Part:
    """One field; `filename` is empty for a plain one."""

    name: str
    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """All fields, in the order they were sent."""

    parts: tuple[Part, ...]

    def text(self, name: str) -> str:
        """The first value of a plain field; empty when it is missing."""
        for part in self.parts:
            if part.name == name and not part.filename:
                return part.content.decode("utf-8", "replace")
        return ""

    def file(self, name: str) -> Part | None:
        """The first file of that name, also one sent as `name[]`."""
        return next((part for part in self.parts if part.filename and part.name in (name, f"{name}[]")), None)


def parse_form(content_type: str, body: bytes) -> Form | None:
    """None when the content type is not multipart or names no boundary."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or found is None:
        return None
    sections = body.split(b"--" + found.group(1).encode())[1:-1]
    return Form(tuple(part for part in map(_part, sections) if part is not None))


def _part(section: bytes) -> Part | None:
    head, blank, content = section.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    name = _NAME.search(head)
    if not blank or name is None:
        return None
    filename = _FILENAME.search(head)
    shown = filename.group(1).decode("utf-8", "replace") if filename else ""
    return Part(name.group(1).decode("utf-8", "replace"), shown, content.removesuffix(b"\r\n"))
