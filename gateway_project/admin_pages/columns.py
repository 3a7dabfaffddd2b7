"""Columns and read-only fields of admin pages. What users wrote is always escaped."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.admin import display
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gateway_project.admin_pages import formats

Column = Callable[[Any], Any]
# The colours a label can have.
GOOD, BAD, WARN, INFO, PLAIN = "good", "bad", "warn", "info", "plain"


def time_column(field: str, title: str = "", *, sortable: bool = True) -> Column:
    """A column of unix seconds, shown in UTC; NULL and 0 are shown as nothing."""

    def column(row: Any) -> SafeString:
        return unbroken(formats.utc(getattr(row, field) or None))

    return _described(column, field, f"{title or field.removesuffix('_at').replace('_', ' ')} (UTC)", sortable=sortable)


def usd_column(field: str, title: str = "", *, sortable: bool = True) -> Column:
    """A column of nano-dollars."""

    def column(row: Any) -> str:
        return formats.usd(getattr(row, field))

    return _described(column, field, title or field.removesuffix("_nano").replace("_", " "), sortable=sortable)


def count_column(field: str, title: str = "", *, sortable: bool = True) -> Column:
    """A column of whole numbers, in groups of three digits."""

    def column(row: Any) -> str:
        return formats.whole(getattr(row, field))

    return _described(column, field, title or field.replace("_", " "), sortable=sortable)


def text_field(field: str, title: str = "") -> Column:
    """A read-only field with text of any length as it is; JSON is laid out."""

    def column(row: Any) -> str | SafeString:
        return text_block(getattr(row, field))

    return _described(column, field, title or field.replace("_", " "), sortable=False)


def text_block(text: str | None) -> str | SafeString:
    """Text in a box of its own, escaped; JSON is laid out."""
    if not text:
        return formats.NOTHING
    return format_html('<pre class="gh-text">{}</pre>', laid_out(text))


def laid_out(text: str) -> str:
    """JSON with line breaks; anything else as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):  # not JSON, or cut off at the bound of a stored body
        return text


def label(text: object, colour: str = PLAIN) -> SafeString:
    """A coloured label."""
    return format_html('<span class="gh-label gh-{}">{}</span>', colour, text)


def labels(texts: Mapping[str, str] | list[str] | tuple[str, ...]) -> SafeString | str:
    """Several labels; a mapping gives each its colour."""
    pairs = texts.items() if isinstance(texts, Mapping) else ((text, PLAIN) for text in texts)
    joined = format_html_join(" ", '<span class="gh-label gh-{}">{}</span>', ((colour, text) for text, colour in pairs))
    return joined or formats.NOTHING


def link(url: str, text: object) -> SafeString:
    return format_html('<a class="gh-link" href="{}">{}</a>', url, text)


def unbroken(text: object) -> SafeString:
    """Text that a narrow column must not break into lines."""
    return format_html('<span class="gh-unbroken">{}</span>', text)


def mono(text: object) -> SafeString | str:
    """An identifier, in a font in which its characters can be told apart."""
    return format_html('<code class="gh-mono">{}</code>', text) if text else formats.NOTHING


def _described(column: Column, field: str, title: str, *, sortable: bool) -> Column:
    column.__name__ = f"{field}_column"
    return display(description=title, ordering=field if sortable else None)(column)
