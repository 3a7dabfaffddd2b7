import pytest
from pytest_django import Settings

from gateway_project.env import SettingError
from gateway_project.installation import check_secrets
from gateway_project.models import SecretCheck

pytestmark = pytest.mark.django_db

ONE, TWO = b"1" * 32, b"2" * 32


@pytest.fixture(autouse=True)
def first_start(settings: Settings) -> None:
    settings.KEY_PEPPERS = (("p1", ONE),)
    settings.DATA_KEYS = (("d1", ONE),)
    check_secrets()


def test_the_same_secrets_start_again() -> None:
    check_secrets()
    assert SecretCheck.objects.count() == 2


def test_no_secret_is_stored() -> None:
    for row in SecretCheck.objects.all():
        assert ONE.hex() not in row.check_value


def test_another_value_under_the_same_id_stops_the_start(settings: Settings) -> None:
    settings.KEY_PEPPERS = (("p1", TWO),)
    with pytest.raises(SettingError, match="GATEWAY_KEY_PEPPERS does not belong to this database"):
        check_secrets()


def test_a_ring_without_the_known_ids_stops_the_start(settings: Settings) -> None:
    settings.DATA_KEYS = (("d2", TWO),)
    with pytest.raises(SettingError, match=r"GATEWAY_DATA_KEYS .*it was made with d1"):
        check_secrets()


def test_a_new_secret_beside_a_known_one_is_a_rotation(settings: Settings) -> None:
    settings.KEY_PEPPERS = (("p2", TWO), ("p1", ONE))
    check_secrets()
    settings.KEY_PEPPERS = (("p2", TWO),)
    check_secrets()
