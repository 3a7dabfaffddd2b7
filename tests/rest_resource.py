"""What every resource of the admin REST must do, whatever it is: inherit RestResource and say how one is made."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tests.services import free_port

ERROR_MEMBERS = {"status", "title", "type", "detail", "instance"}
# None of these asks for JSON or says that it sends it, as the seed's readers do not.
CARELESS: dict[str, Any] = {"content_type": "application/x-www-form-urlencoded", "HTTP_ACCEPT": "text/html"}


class RestClient:
    """The admin REST as a program on this machine calls it; members of a body are keyword arguments."""

    def __init__(self, **headers: Any) -> None:
        self._client = Client(raise_request_exception=False, HTTP_HOST="localhost:8001", **headers)

    def send(self, method: str, path: str, body: bytes | None = None, **extra: Any) -> Any:
        options = {**CARELESS, **extra}
        return self._client.generic(method, path, body or b"", **options)

    def get(self, path: str, /, **extra: Any) -> Any:
        return self.send("GET", path, **extra)

    def put(self, path: str, /, **body: Any) -> Any:
        return self.send("PUT", path, json.dumps(body).encode())

    def post(self, path: str, /, **body: Any) -> Any:
        return self.send("POST", path, json.dumps(body).encode())

    def patch(self, path: str, /, **body: Any) -> Any:
        return self.send("PATCH", path, json.dumps(body).encode())

    def delete(self, path: str) -> Any:
        return self.send("DELETE", path)


def assert_error(
    response: HttpResponse, status: int, *, names: str = "", instance: str | None = None
) -> dict[str, Any]:
    """The answer is the seed's error object for `status`; its detail has `names` in it."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json; charset=utf-8"
    error: dict[str, Any] = json.loads(response.content)
    assert set(error) >= ERROR_MEMBERS
    assert error["status"] == status
    assert error["title"]
    assert error["type"].startswith("/errors/")
    assert names in error["detail"]
    if instance is not None:
        assert error["instance"] == instance
    return error


@contextmanager
def stopped_database() -> Iterator[None]:
    """Within, the database refuses connections. The test must be a transactional one."""
    connection.close()
    port, connection.settings_dict["PORT"] = connection.settings_dict["PORT"], str(free_port())
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["PORT"] = port


class RestResource:
    """Tests of one resource. A subclass sets the class variables and the bodies."""

    path: ClassVar[str]
    create_method: ClassVar[str] = "PUT"
    id_member: ClassVar[str] = "id"
    required: ClassVar[tuple[str, ...]] = ()
    list_queries: ClassVar[int]
    """Queries of a GET of the whole list, however long it is."""

    def new_body(self, number: int) -> dict[str, Any]:
        """A body that creates a resource; each number another one."""
        raise NotImplementedError

    def changes(self) -> dict[str, Any]:
        """A body that changes one, all of it echoed."""
        raise NotImplementedError

    @pytest.fixture
    def rest(self) -> RestClient:
        return RestClient()

    def create(self, rest: RestClient, number: int = 1, **members: Any) -> dict[str, Any]:
        body = json.dumps({**self.new_body(number), **members}).encode()
        response = rest.send(self.create_method, self.path, body)
        assert response.status_code == 200, response.content
        created: dict[str, Any] = response.json()
        return created

    def one(self, created: dict[str, Any]) -> str:
        return f"{self.path}/{created[self.id_member]}"

    def test_it_answers_json_whatever_the_client_accepts(self, rest: RestClient) -> None:
        created = self.create(rest)
        response = rest.get(self.path)
        assert response["Content-Type"] == "application/json; charset=utf-8"
        assert created in response.json()

    def test_it_lists_a_bare_array(self, rest: RestClient) -> None:
        assert isinstance(rest.get(self.path).json(), list)

    def test_it_tolerates_a_slash_at_the_end(self, rest: RestClient) -> None:
        created = self.create(rest)
        assert rest.get(f"{self.path}/").json() == rest.get(self.path).json()
        assert rest.patch(f"{self.one(created)}/", **self.changes()).status_code == 200

    def test_it_ignores_members_it_does_not_know(self, rest: RestClient) -> None:
        assert "nobodyKnows" not in self.create(rest, nobodyKnows={"a": [1]})

    def test_it_changes_what_is_given_and_nothing_else(self, rest: RestClient) -> None:
        created = self.create(rest)
        changed = rest.patch(self.one(created), **self.changes()).json()
        assert {name: changed[name] for name in self.changes()} == self.changes()
        untouched = set(created) - set(self.changes()) - {"updatedAt", "updated_at"}
        assert {name: changed[name] for name in untouched} == {name: created[name] for name in untouched}

    def test_it_names_each_required_member_that_is_missing(self, rest: RestClient) -> None:
        for name in self.required:
            body = {member: value for member, value in self.new_body(1).items() if member != name}
            response = rest.send(self.create_method, self.path, json.dumps(body).encode())
            assert_error(response, 400, names=name, instance=self.path)

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"a":NaN}', b"\xff\xfe", b"[" * 100_000])
    def test_it_refuses_a_body_that_is_no_json_object(self, rest: RestClient, body: bytes) -> None:
        error = assert_error(rest.send(self.create_method, self.path, body), 400, instance=self.path)
        assert error["type"] == "/errors/json-unmarshal"

    def test_it_refuses_a_body_that_is_too_large(self, rest: RestClient) -> None:
        assert_error(rest.send(self.create_method, self.path, b'{"name":"' + b"x" * 2_000_000 + b'"}'), 413)

    def test_it_answers_404_for_an_unknown_id(self, rest: RestClient) -> None:
        for unknown in ("00000000-0000-4000-8000-000000000000", "no-uuid"):
            path = f"{self.path}/{unknown}"
            assert_error(rest.patch(path, **self.changes()), 404, names=unknown, instance=path)

    def test_it_answers_405_for_a_method_it_has_not(self, rest: RestClient) -> None:
        response = rest.send("TRACE", self.path)
        assert_error(response, 405, instance=self.path)
        assert "GET" in response["Allow"]

    def test_it_takes_as_many_queries_for_a_long_list_as_for_a_short_one(self, rest: RestClient) -> None:
        for number in range(1, 8):
            self.create(rest, number)
            if number in (1, 7):
                with CaptureQueriesContext(connection) as queries:
                    assert len(rest.get(self.path).json()) >= number
                assert len(queries) == self.list_queries, [query["sql"] for query in queries]

    def test_it_wants_the_admin_password_where_there_is_one(self, rest: RestClient, settings: Settings) -> None:
        created = self.create(rest)
        settings.ADMIN_PASS = "open sesame"
        calls = (("GET", self.path), (self.create_method, self.path), ("PATCH", self.one(created)))
        for method, path in calls:
            assert_error(rest.send(method, path, b"{}"), 401, instance=path)
            assert_error(RestClient(HTTP_X_API_KEY="open sesam").send(method, path, b"{}"), 401)
        assert RestClient(HTTP_X_API_KEY="open sesame").get(self.path).status_code == 200

    def test_it_answers_only_this_machine_without_a_password(self, rest: RestClient) -> None:
        assert_error(rest.get(self.path, REMOTE_ADDR="192.0.2.1"), 403, names="ADMIN_PASS", instance=self.path)

    @pytest.mark.django_db(transaction=True)
    def test_it_answers_503_in_its_own_body_while_the_database_is_down(self, rest: RestClient) -> None:
        created = self.create(rest)
        calls = (
            ("GET", self.path, b""),
            (self.create_method, self.path, json.dumps(self.new_body(2)).encode()),
            ("PATCH", self.one(created), json.dumps(self.changes()).encode()),
        )
        with stopped_database():
            for method, path, body in calls:
                assert_error(rest.send(method, path, body), 503, names="database", instance=path)
        assert rest.get(self.path).status_code == 200
