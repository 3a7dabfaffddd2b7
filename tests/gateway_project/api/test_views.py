import pytest
from pytest_django import Settings

from tests.rest_resource import RestClient, stopped_database


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/health", "/api/health/"])
def test_health_answers_anybody_with_nothing(path: str, settings: Settings) -> None:
    settings.ADMIN_PASS = "secret"
    response = RestClient().get(path, REMOTE_ADDR="192.0.2.1")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.django_db(transaction=True)
def test_ready_says_whether_the_database_answers(settings: Settings) -> None:
    settings.ADMIN_PASS = "secret"
    rest = RestClient()
    assert rest.get("/ready").json() == {"status": "ready", "checks": {"database": "ok"}}
    with stopped_database():
        response = rest.get("/ready")
        assert response.status_code == 503
        assert response.json() == {"status": "unavailable", "checks": {"database": "unavailable"}}
        assert rest.get("/api/health").status_code == 200
    assert rest.get("/ready").status_code == 200
