"""What a custom provider may hold; over REST the messages are tested in api/test_custom_views."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.catalog import CATALOG
from providers.custom_rules import (
    MAX_ROUTES,
    CustomProviderInvalid,
    check_name,
    check_parameter,
    check_required,
    check_routes,
    merged,
)
from proxy.paths import check_path
from tests.providers.custom_configs import plain_config, route_config


@pytest.mark.parametrize("name", CATALOG)
def test_no_name_of_the_catalogue_is_taken(name: str) -> None:
    for spelling in (name, name.upper()):
        with pytest.raises(CustomProviderInvalid, match=f"cannot be named {name}"):
            check_name(spelling)


@pytest.mark.parametrize(("name", "stored"), [("Acme", "acme"), ("a", "a"), ("my.own-llm_2", "my.own-llm_2")])
def test_names_are_stored_in_lower_case(name: str, stored: str) -> None:
    assert check_name(name) == stored


@pytest.mark.parametrize("name", ["", "-a", "a-", ".", "..", "a%2f", "ä", "a" * 65, "a\n"])
def test_a_name_is_one_plain_segment_of_a_path(name: str) -> None:
    with pytest.raises(CustomProviderInvalid, match=r"^provider "):
        check_name(name)


@pytest.mark.parametrize(("given_", "stored"), [(None, ""), ("", ""), ("ApiKey", "apikey"), ("x-token", "x-token")])
def test_an_authentication_param_is_stored_in_lower_case(given_: Any, stored: str) -> None:
    assert check_parameter(given_) == stored


def test_required_members_depend_on_methods_and_streams() -> None:
    bare = {"path": "/a", "target_url": "https://x.example/a"}
    check_required("acme", [{**bare, "methods": ["GET"]}])
    with pytest.raises(CustomProviderInvalid) as refused:
        check_required("acme", [{**bare, "methods": ["GET", "POST"], "stream_location": "stream"}])
    assert refused.value.fields == tuple(
        f"route_configs.[0].{name}"
        for name in (
            *("model_location", "request_prompt_location", "response_completion_location"),
            *("stream_end_word", "stream_response_completion_location"),
        )
    )


def test_numbers_may_come_as_strings() -> None:
    (route,) = check_routes([route_config(stream_max_empty_messages="12")])
    assert route.stream_max_empty_messages == 12


def test_there_may_be_many_routes_but_not_any_number() -> None:
    configs = [plain_config(path=f"/{number}") for number in range(MAX_ROUTES + 1)]
    assert len(check_routes(configs[1:])) == MAX_ROUTES
    with pytest.raises(CustomProviderInvalid, match=r"route_configs must be 1 to"):
        check_routes(configs)
    with pytest.raises(CustomProviderInvalid, match=r"route_configs must be 1 to"):
        merged(configs[1:], configs[:1])


def test_merging_keeps_the_order_and_what_is_not_named() -> None:
    stored = [plain_config(path=path) for path in ("/c", "/a", "/b")]
    routes = merged(stored, [plain_config(path="/0"), {"path": "/a", "methods": ["PUT"]}])
    assert [route.path for route in routes] == ["/c", "/a", "/b", "/0"]
    assert [route.methods for route in routes[:2]] == [frozenset({"POST"}), frozenset({"PUT"})]
    assert routes[1].model_location == "model"


def test_merging_mends_what_is_stored_wrong() -> None:
    stored = [plain_config(path="/a", target_url="http://169.254.169.254/")]
    (route,) = merged(stored, [{"path": "/a", "target_url": "https://x.example/a"}])
    assert route.target_url == "https://x.example/a"
    with pytest.raises(CustomProviderInvalid, match="target_url"):
        merged(stored, [plain_config(path="/b")])


@given(st.text(alphabet="/ab.%2eE5cf;?#*\\ ~", max_size=12).map(lambda text: f"/{text}"))
def test_a_path_that_is_taken_is_one_that_can_be_called(path: str) -> None:
    try:
        check_routes([plain_config(path=path)])
    except CustomProviderInvalid:
        return
    check_path(f"/api/custom/providers/acme{path}")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(anything, anything, st.sampled_from(sorted(route_config() | {"methods": []})), anything)
def test_whatever_is_sent_is_taken_or_refused(name: Any, routes: Any, member: str, value: Any) -> None:
    for check in (
        lambda: check_name(name),
        lambda: check_parameter(name),
        lambda: check_required(name, routes),
        lambda: check_routes(routes),
        lambda: check_routes([route_config(**{member: value})]),
        lambda: merged([route_config()], [{"path": "/chat/completions", member: value}]),
        lambda: merged([route_config()], routes),
    ):
        with contextlib.suppress(CustomProviderInvalid):
            check()
