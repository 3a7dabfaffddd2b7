"""Columns: what users wrote is text, never markup."""

from types import SimpleNamespace

import pytest

from gateway_project.admin_pages import columns

NASTY = "<script>alert('x')</script>"


@pytest.mark.parametrize(
    "shown",
    [
        columns.label(NASTY),
        columns.labels([NASTY]),
        columns.labels({NASTY: columns.GOOD}),
        columns.link("/x?a=1&b=2", NASTY),
        columns.mono(NASTY),
        columns.unbroken(NASTY),
        columns.text_block(NASTY),
        columns.text_block(f'{{"a": "{NASTY}"}}'),
        columns.text_field("body")(SimpleNamespace(body=NASTY)),
    ],
)
def test_markup_stays_text(shown: str) -> None:
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_an_address_cannot_break_out_of_its_link() -> None:
    assert 'href="&quot; onclick=&quot;x"' in columns.link('" onclick="x', "text")


def test_json_is_laid_out_and_what_is_none_is_left_alone() -> None:
    assert columns.laid_out('{"b":[1,"é"]}') == '{\n  "b": [\n    1,\n    "é"\n  ]\n}'
    assert columns.laid_out('{"cut": "of') == '{"cut": "of'
    assert columns.laid_out("plain") == "plain"
    assert columns.laid_out("[" * 100_000) == "[" * 100_000


def test_columns_have_titles_and_can_be_sorted_by() -> None:
    row = SimpleNamespace(created_at=1_763_640_000, cost_nano=250_000_000, requests=12345, closed_at=None)
    created, cost = columns.time_column("created_at"), columns.usd_column("cost_nano")
    assert "2025-11-20 12:00:00" in created(row)
    assert "–" in columns.time_column("closed_at")(row)
    assert (cost(row), columns.count_column("requests")(row)) == ("$0.25", "12,345")
    assert created.short_description == "created (UTC)"  # type: ignore[attr-defined]
    assert cost.admin_order_field == "cost_nano"  # type: ignore[attr-defined]


def test_nothing_is_shown_as_nothing() -> None:
    assert [columns.labels([]), columns.mono(""), columns.text_block(None)] == ["–", "–", "–"]
