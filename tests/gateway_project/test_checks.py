import pytest
from django.core.checks import CheckMessage, run_checks
from pytest_django import Settings

from gateway_project.checks import TAG, is_loopback


@pytest.fixture(autouse=True)
def harmless(settings: Settings) -> None:
    """What every check is content with."""
    settings.SECRETS_GIVEN = True
    settings.ADMIN_PASS = ""
    settings.ADMIN_HOST = "127.0.0.1"
    settings.GATEWAY_ENV = "dev"
    settings.PROXY_WORKERS = 1
    settings.REDIS_URL = ""
    settings.CELERY_BROKER_URL = "memory://localhost/"


def found() -> dict[str, CheckMessage]:
    return {str(each.id): each for each in run_checks(tags=[TAG], include_deployment_checks=True)}


def test_an_embedded_installation_on_loopback_is_fine() -> None:
    assert found() == {}


def test_services_without_secrets_are_refused(settings: Settings) -> None:
    settings.SECRETS_GIVEN = False
    assert "GATEWAY_KEY_PEPPERS" in str(found()["gateway.E001"].hint)


@pytest.mark.parametrize(("name", "value"), [("ADMIN_HOST", "0.0.0.0"), ("GATEWAY_ENV", "production")])
def test_an_admin_listener_for_others_needs_a_password(settings: Settings, name: str, value: str) -> None:
    setattr(settings, name, value)
    assert "ADMIN_PASS" in str(found()["gateway.E002"].hint)
    settings.ADMIN_PASS = "a password"
    assert found() == {}


def test_several_proxies_need_redis(settings: Settings) -> None:
    settings.PROXY_WORKERS = 2
    assert "REDIS_URL" in str(found()["gateway.E003"].hint)
    settings.REDIS_URL = "redis://localhost"
    assert found() == {}


def test_a_shared_queue_without_shared_counters_is_worth_a_warning(settings: Settings) -> None:
    settings.CELERY_BROKER_URL = "redis://localhost"
    assert list(found()) == ["gateway.W001"]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("db", False)],
)
def test_it_knows_loopback_addresses(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
