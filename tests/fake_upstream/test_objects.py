"""Tests of stored objects and their pages."""

from fake_upstream.objects import ObjectStore, page

ITEMS = [{"id": name} for name in "abcd"]


def test_it_lists_the_newest_first() -> None:
    assert [item["id"] for item in page(ITEMS, {"limit": "3"})["data"]] == ["d", "c", "b"]


def test_it_goes_on_after_an_id() -> None:
    shown = page(ITEMS, {"order": "asc", "after": "b"})
    assert (shown["first_id"], shown["last_id"], shown["has_more"]) == ("c", "d", False)


def test_it_stops_before_an_id() -> None:
    assert [item["id"] for item in page(ITEMS, {"before": "b"})["data"]] == ["d", "c"]


def test_it_shows_an_empty_page() -> None:
    assert page([], {})["first_id"] is None


def test_it_forgets_the_content_with_the_object() -> None:
    store = ObjectStore()
    store.put("/files", {"id": "f"}, b"bytes")
    assert (store.content("f"), store.remove("/files", "f"), store.content("f")) == (b"bytes", True, None)
    assert not store.remove("/files", "f")
