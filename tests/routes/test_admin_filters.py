"""What the list of routes can be narrowed by."""

import pytest

from tests.admin_site import operator, page
from tests.routes.admin_pages import LIST
from tests.routes.builders import AZURE, OPENAI, a_route

pytestmark = pytest.mark.django_db


def shown(**query: str) -> set[str]:
    text = page(operator(), LIST, **query)
    found = {name for name in ("embeds", "chats") if f">{name}<" in text}
    assert text.count("gh-strong") == len(found)
    return found


@pytest.fixture(autouse=True)
def _routes(key_id: str) -> None:
    a_route(key_id, name="embeds", path="/e", steps=[{**OPENAI, "model": "text-embedding-3-small"}])
    a_route(key_id, name="chats", path="/c", steps=[OPENAI, AZURE, AZURE], cache_enabled=True)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, {"embeds", "chats"}),
        ({"operation": "embeddings"}, {"embeds"}),
        ({"operation": "chat"}, {"chats"}),
        ({"operation": "responses"}, set()),
        ({"caching": "on"}, {"chats"}),
        ({"caching": "off"}, {"embeds"}),
        ({"caching": "nonsense"}, {"embeds", "chats"}),
        ({"provider": "azure"}, {"chats"}),
        ({"provider": "openai"}, {"embeds", "chats"}),
        ({"provider": "openai", "caching": "off"}, {"embeds"}),
    ],
)
def test_routes_are_narrowed(query: dict[str, str], names: set[str]) -> None:
    assert shown(**query) == names
