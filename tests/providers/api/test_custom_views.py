"""Custom providers over REST: the seed's paths, members and errors."""

from typing import Any, ClassVar

import pytest

from providers.models import CustomProvider, ProviderSetting
from providers.services import create_setting
from tests.providers.custom_configs import plain_config, route_config
from tests.rest_resource import RestClient, RestResource, assert_error

pytestmark = [pytest.mark.django_db, pytest.mark.urls("providers.api.urls")]

PATH = "/api/custom/providers"
MEMBERS = {
    "id": str,
    "created_at": int,
    "updated_at": int,
    "provider": str,
    "route_configs": list,
    "authentication_param": str,
}
TITLE = "custom provider validation failed"


class TestCustomProviders(RestResource):
    path: ClassVar[str] = PATH
    create_method: ClassVar[str] = "POST"
    required: ClassVar[tuple[str, ...]] = ("provider", "route_configs")
    list_queries: ClassVar[int] = 2

    def new_body(self, number: int) -> dict[str, Any]:
        return {"provider": f"acme-{number}", "route_configs": [route_config()], "authentication_param": "apikey"}

    def changes(self) -> dict[str, Any]:
        return {"authentication_param": "token"}


@pytest.fixture
def rest() -> RestClient:
    return RestClient()


def create(rest: RestClient, **members: Any) -> dict[str, Any]:
    body = {"provider": "acme", "route_configs": [route_config()], **members}
    response = rest.post(PATH, **body)
    assert response.status_code == 200, response.content
    created: dict[str, Any] = response.json()
    return created


def refused(rest: RestClient, *, names: str, **members: Any) -> dict[str, Any]:
    body = {"provider": "acme", "route_configs": [route_config()], **members}
    error = assert_error(rest.post(PATH, **body), 400, names=names, instance=PATH)
    assert (error["title"], error["type"]) == (TITLE, "/errors/validation")
    assert not CustomProvider.objects.exists()
    return error


def test_every_member_of_the_seed_comes_back(rest: RestClient) -> None:
    created = create(rest, provider="Bricks", authentication_param="ApiKey")
    assert {name: type(value) for name, value in created.items()} == MEMBERS
    assert created["route_configs"] == [{**route_config(), "methods": ["POST"]}]
    assert (created["provider"], created["authentication_param"]) == ("bricks", "apikey")
    assert rest.get(f"{PATH}/{created['id']}").json() == created
    assert rest.get(PATH).json() == [created]


def test_what_may_be_left_out_has_a_default(rest: RestClient) -> None:
    created = create(rest, route_configs=[plain_config()])
    assert created["authentication_param"] == ""
    (config,) = created["route_configs"]
    assert config == {
        **plain_config(),
        "methods": ["POST"],
        "max_tokens_location": "",
        "stream_location": "",
        "stream_end_word": "",
        "stream_response_completion_location": "",
        "stream_max_empty_messages": 0,
    }


def test_a_get_may_have_a_body(rest: RestClient) -> None:
    created = create(rest)
    assert rest.send("GET", PATH, b'{"route_configs":[]}').json() == [created]


def test_every_wrong_member_is_named(rest: RestClient) -> None:
    config = route_config(target_url="", stream_end_word="")
    error = refused(rest, names="empty fields in provider: ", provider="", route_configs=[plain_config(), config])
    expected = ["provider", "route_configs.[1].target_url", "route_configs.[1].stream_end_word"]
    assert error["fields"] == expected
    assert error["detail"] == f"empty fields in provider: {', '.join(expected)}"


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"provider": "openai"}, "provider cannot be named openai"),
        ({"provider": "Bedrock"}, "provider cannot be named bedrock"),
        ({"provider": "a b"}, "provider cannot contain white space"),
        ({"provider": "a/b"}, "provider must be 1 to 64 letters"),
        ({"provider": 7}, "provider must be a string"),
        ({"authentication_param": "api key"}, "authentication_param cannot contain white space"),
        ({"authentication_param": "url"}, "authentication_param must be the name of a member"),
        ({"authentication_param": 7}, "authentication_param must be a string"),
        ({"route_configs": {}}, "route_configs must be a list"),
        ({"route_configs": ["x"]}, "route_configs.[0] must be an object"),
        ({"route_configs": []}, "route_configs"),
    ],
)
def test_a_wrong_provider_is_refused(rest: RestClient, members: dict[str, Any], names: str) -> None:
    refused(rest, names=names, **members)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"path": "chat"}, 'path must start with "/"'),
        ({"path": "/a b"}, "path cannot contain white space"),
        ({"path": "/a/../b"}, "path must be a plain path"),
        ({"path": "/a?b"}, "path must be a plain path"),
        ({"path": "/a/*"}, "path must be a plain path"),
        ({"target_url": "ftp://host/x"}, "target_url must start with http"),
        ({"target_url": "http://169.254.169.254/latest"}, "target_url must not be a link-local, metadata"),
        ({"target_url": "http://metadata.google.internal/x"}, "target_url must not be a metadata service"),
        ({"target_url": "https://a:b@host/x"}, "target_url must not contain a user name"),
        ({"target_url": "https://host/x?key=1"}, "target_url must not contain a query"),
        ({"target_url": 7}, "target_url must be a string"),
        ({"model_location": "a|b"}, "model_location has a pipe"),
        ({"request_prompt_location": "@reverse"}, "request_prompt_location has a modifier"),
        ({"response_completion_location": "a..b"}, "response_completion_location has an empty part"),
        ({"stream_location": "a.#(b"}, "stream_location has a query without its closing bracket"),
        ({"stream_response_completion_location": "{a,b}"}, "stream_response_completion_location has a multipath"),
        ({"stream_end_word": "a\nb"}, "stream_end_word must be one line"),
        ({"stream_max_empty_messages": -1}, "stream_max_empty_messages must be between 0"),
        ({"stream_max_empty_messages": 1.5}, "stream_max_empty_messages must be a whole number"),
        ({"stream_max_empty_messages": True}, "stream_max_empty_messages must be a whole number"),
        ({"methods": ["BREW"]}, "methods must be some of GET, HEAD"),
        ({"methods": "POST"}, "methods must be a list of strings"),
    ],
)
def test_a_wrong_route_config_is_refused_by_its_place(rest: RestClient, members: dict[str, Any], reason: str) -> None:
    configs = [plain_config(path="/first"), route_config(**members)]
    error = refused(rest, names=f"route_configs.[1].{reason}", route_configs=configs)
    assert error["fields"] == [f"route_configs.[1].{next(iter(members))}"]


def test_paths_are_unique_within_a_provider(rest: RestClient) -> None:
    refused(rest, names="route_configs.[1].path must be unique", route_configs=[plain_config(), route_config()])


def test_names_are_unique(rest: RestClient) -> None:
    create(rest)
    error = assert_error(rest.post(PATH, provider="ACME", route_configs=[plain_config()]), 409, names="unique")
    assert error["type"] == "/errors/custom-provider-exists"


def test_methods_without_a_body_need_no_locations(rest: RestClient) -> None:
    config = {"path": "/models", "target_url": "https://api.acme.example/models", "methods": ["get", "DELETE"]}
    assert create(rest, route_configs=[config])["route_configs"][0]["methods"] == ["GET", "DELETE"]


def test_a_patch_merges_route_configs_by_path(rest: RestClient) -> None:
    first, second = route_config(path="/first"), route_config(path="/second")
    created = create(rest, route_configs=[first, second])
    changes = [
        plain_config(path="/third", methods=["PUT"]),
        {"path": "/first", "model_location": "engine", "target_url": "", "stream_max_empty_messages": 0},
    ]
    changed = rest.patch(f"{PATH}/{created['id']}", route_configs=changes).json()
    configs = changed["route_configs"]
    assert [config["path"] for config in configs] == ["/first", "/second", "/third"]
    expected = {**first, "methods": ["POST"], "model_location": "engine", "stream_max_empty_messages": 0}
    assert configs[0] == expected
    assert configs[1] == created["route_configs"][1]
    assert configs[2]["methods"] == ["PUT"]
    assert changed["authentication_param"] == created["authentication_param"]
    assert rest.get(f"{PATH}/{created['id']}").json() == changed


def test_a_patch_with_null_empties_a_member(rest: RestClient) -> None:
    created = create(rest)
    change = {"path": "/chat/completions", "stream_location": None, "stream_end_word": None}
    (config,) = rest.patch(f"{PATH}/{created['id']}", route_configs=[change]).json()["route_configs"]
    assert (config["stream_location"], config["stream_end_word"]) == ("", "")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ([{"path": "/new", "target_url": "https://x.example"}], "route_configs.[0].model_location"),
        ([{"target_url": "https://x.example"}], "route_configs.[0].path"),
        ([plain_config(path="/a"), plain_config(path="/a")], "route_configs.[1].path must be unique"),
        ([{"path": "/chat/completions", "target_url": "http://169.254.169.254/"}], "route_configs.[0].target_url"),
        ([7], "route_configs.[0].path"),
        ({}, "route_configs must be a list"),
    ],
)
def test_a_wrong_patch_changes_nothing(rest: RestClient, changes: Any, names: str) -> None:
    created = create(rest)
    path = f"{PATH}/{created['id']}"
    error = assert_error(rest.patch(path, route_configs=changes), 400, names=names, instance=path)
    assert error["title"] == TITLE
    assert rest.get(path).json() == created


def test_one_that_is_not_there_is_a_404(rest: RestClient) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        path = f"{PATH}/nobody"
        error = assert_error(rest.send(method, path, b"{}"), 404, names="nobody", instance=path)
        assert error["title"] == "custom provider is not found"


def test_one_that_settings_use_is_not_deleted(rest: RestClient) -> None:
    created = create(rest, authentication_param="apikey")
    path = f"{PATH}/{created['id']}"
    setting = create_setting(provider="acme", setting={"apikey": "sk-1"}, name="ours")
    error = assert_error(rest.delete(path), 409, names="ours", instance=path)
    assert error["type"] == "/errors/custom-provider-in-use"
    ProviderSetting.objects.filter(pk=setting.pk).delete()
    assert rest.delete(path).status_code == 200
    assert rest.get(PATH).json() == []
