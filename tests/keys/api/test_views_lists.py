"""Which keys a list holds, and how it is cut into pages."""

import pytest
from django.db.models import F

from keys.models import Key
from keys.services import create_key
from tests.keys.api.keys_over_rest import PATH, Keys
from tests.rest_resource import assert_error

pytestmark = pytest.mark.django_db


class TestFilters:
    @pytest.fixture(autouse=True)
    def _three(self, keys: Keys) -> None:
        self.ids = [
            keys.make(name="a", tags=["x"])["keyId"],
            keys.make(name="b", tags=["x", "y"])["keyId"],
            keys.make(name="c", tags=["comma, with", "it's"])["keyId"],
        ]
        for age, key_id in enumerate(reversed(self.ids)):
            Key.objects.filter(pk=key_id).update(created_at=F("created_at") - age)

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("", "abc"),
            ("tag=x", "ab"),
            ("tags=x", "ab"),
            ("tags=x&tags=y", "b"),
            ("tags=x,y", "b"),
            ("tag=x&tags=y", "b"),
            ("tag=comma,%20with", "c"),
            ("tag=it's", "c"),
            ("tag=", "abc"),
            ("tags=nobody", ""),
            ("provider=openai", "abc"),
            ("provider=anthropic", ""),
            ("provider=openai&tag=y", "b"),
            ("keyIds=no-uuid", ""),
            ("limit=2", "ab"),
            ("limit=2&offset=2", "c"),
            ("offset=1", "bc"),
            ("offset=9", ""),
            ("limit=0", "abc"),
        ],
    )
    def test_it_keeps_the_keys_that_meet_all(self, keys: Keys, query: str, names: str) -> None:
        assert keys.found(query) == list(names)

    def test_it_finds_by_id(self, keys: Keys) -> None:
        first, second, _ = self.ids
        assert sorted(keys.found(f"keyIds={first}&keyIds={second}")) == ["a", "b"]
        assert sorted(keys.found(f"keyIds={first},{second}")) == ["a", "b"]
        assert keys.found(f"keyIds={first}&tag=y") == []

    @pytest.mark.parametrize("query", ["limit=-1", "limit=many", "offset=-1", "offset=1.5"])
    def test_it_names_a_wrong_page(self, keys: Keys, query: str) -> None:
        assert_error(keys.rest.get(f"{PATH}?{query}"), 400, names=query.partition("=")[0])

    def test_it_announces_a_cut(self, keys: Keys) -> None:
        whole = keys.rest.get(PATH)
        assert (whole["X-Total-Count"], whole.has_header("Link")) == ("3", False)
        cut = keys.rest.get(f"{PATH}?tags=x&limit=1")
        assert cut["X-Total-Count"] == "2"
        target = cut["Link"].removeprefix("<").partition(">")[0]
        assert cut["Link"].endswith('; rel="next"')
        rest = keys.rest.get(target)
        assert {cut.json()[0]["name"], rest.json()[0]["name"]} == {"a", "b"}
        assert not rest.has_header("Link")


def test_it_cuts_a_list_at_a_thousand(keys: Keys) -> None:
    made, _ = create_key(name="first", setting_ids=[keys.setting_id])
    Key.objects.bulk_create(
        Key(name=f"n{number}", digest=str(number), created_at=made.created_at, updated_at=1) for number in range(1000)
    )
    response = keys.rest.get(PATH)
    assert (len(response.json()), response["X-Total-Count"]) == (1000, "1001")
    assert "offset=1000" in response["Link"]
    assert len(keys.rest.get(f"{PATH}?limit=5000").json()) == 1000
