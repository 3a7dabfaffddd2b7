"""What turning stored answers has in common. What is not understood is not turned: a miss is better than a guess."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Document = dict[str, Any]


class CannotTurn(Exception):
    """The stored answer does not tell what the other kind would say."""


def only(document: Any, known: Collection[str]) -> None:
    """Raises CannotTurn for what is no object, or says something in a member nobody knows how to turn."""
    if not isinstance(document, Mapping):
        raise CannotTurn("not an object")
    for name, value in document.items():
        if name not in known and value is not None:
            raise CannotTurn(f"the member {name}")


def list_of(document: Mapping[str, Any], name: str) -> list[Any]:
    """A list of objects, [] when it is not there. Raises CannotTurn."""
    value = document.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise CannotTurn(f"{name} is no list of objects")
    return value


def object_member(document: Mapping[str, Any], name: str) -> Document:
    """An object, {} when it is not there. Raises CannotTurn."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CannotTurn(f"{name} is no object")
    return value


def text_member(document: Mapping[str, Any], name: str) -> str | None:
    """A text, None when it is not there. Raises CannotTurn: such as for content in parts."""
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise CannotTurn(f"{name} is no text")
    return value


def head_of(documents: Sequence[Mapping[str, Any]], kind: str) -> Document:
    """The members all chunks of a stream and its answer have alike: of each the first that says something."""
    head: Document = {"id": "", "object": kind, "created": 0, "model": ""}
    for name in ("service_tier", "system_fingerprint", "model", "created", "id"):
        for document in documents:
            if document.get(name):
                head[name] = document[name]
                break
    return head
