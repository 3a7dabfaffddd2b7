"""Objects a client created: files, batches, vector stores, threads and the like."""

from typing import Any

Stored = dict[str, Any]

_MOST_OBJECTS = 5000


class ObjectStore:
    """Collections by path (`/threads/thread_1/messages`), each a mapping from id to object, oldest first."""

    def __init__(self) -> None:
        self._collections: dict[str, dict[str, Stored]] = {}
        self._contents: dict[str, bytes] = {}

    def put(self, collection: str, item: Stored, content: bytes | None = None) -> Stored:
        """Store an object under its `id`; the oldest of a collection goes when there are too many."""
        items = self._collections.setdefault(collection, {})
        items[item["id"]] = item
        if content is not None:
            self._contents[item["id"]] = content
        if len(items) > _MOST_OBJECTS:
            oldest = next(iter(items))
            self.remove(collection, oldest)
        return item

    def get(self, collection: str, name: str) -> Stored | None:
        """None when there is no such object."""
        return self._collections.get(collection, {}).get(name)

    def content(self, name: str) -> bytes | None:
        """The bytes stored with an object."""
        return self._contents.get(name)

    def remove(self, collection: str, name: str) -> bool:
        """False when there was nothing to remove."""
        self._contents.pop(name, None)
        return self._collections.get(collection, {}).pop(name, None) is not None

    def all(self, collection: str) -> list[Stored]:
        """Every object of a collection, oldest first."""
        return list(self._collections.get(collection, {}).values())

    def clear(self) -> None:
        """Forget everything."""
        self._collections.clear()
        self._contents.clear()


def page(items: list[Stored], query: dict[str, str]) -> Stored:
    """OpenAI's list document: `limit`, `after`, `before` and `order` (newest first by default) are honoured."""
    items = list(items)
    if query.get("order", "desc") == "desc":
        items.reverse()
    ids = [item["id"] for item in items]
    if query.get("after") in ids:
        items = items[ids.index(query["after"]) + 1 :]
    elif query.get("before") in ids:
        items = items[: ids.index(query["before"])]
    limit = int(query["limit"]) if query.get("limit", "").isdigit() else 20
    shown = items[:limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(items) > limit,
    }
