"""The same tests on PostgreSQL and on an SQLite file, as both are run in earnest; spools; a key that has events."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, connections
from pytest_django import DjangoDbBlocker, Settings

from gateway_project.database_settings import database_settings
from gateway_project.env import Environment
from keys.services import create_key
from providers.services import create_setting
from reporting.spool import SpoolWriter
from tests.reporting.builders import AT


def _point_at(folder: Path) -> None:
    """Make the default connection, of every thread, the SQLite file of an embedded run under `folder`."""
    connection.close()
    given = database_settings(Environment({}), role="worker", var_dir=folder)
    connections.settings["default"] = connections.configure_settings({"default": given})["default"]
    del connections["default"]


@pytest.fixture(scope="session")
def migrated_sqlite(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Path:
    """A folder with an SQLite database that every migration has run on; copy it."""
    folder = tmp_path_factory.mktemp("sqlite")
    # The same object comes back: it alone is closed before the test database is dropped.
    before, postgresql = connections.settings["default"], connections["default"]
    with django_db_blocker.unblock():
        _point_at(folder)
        call_command("migrate", verbosity=0)
        connection.close()
        connections.settings["default"] = before
        connections["default"] = postgresql
    return folder


@pytest.fixture
def sqlite(migrated_sqlite: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A fresh SQLite file as Django's default database."""
    folder = tmp_path / "database"
    shutil.copytree(migrated_sqlite, folder)
    before, postgresql = connections.settings["default"], connections["default"]
    with django_db_blocker.unblock():
        _point_at(folder)
        yield
        connections.close_all()
        connections.settings["default"] = before
        connections["default"] = postgresql


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest, transactional_db: None) -> str:
    """An empty database without a surrounding transaction; its vendor."""
    if request.param == "sqlite":
        request.getfixturevalue("sqlite")
    assert connection.vendor == request.param
    vendor: str = request.param
    return vendor


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the spools are."""
    return tmp_path / "spool"


@pytest.fixture
def writer(root: Path) -> Iterator[SpoolWriter]:
    """A living process's spool "one", in small segments."""
    writer = SpoolWriter(root, "one", segment_bytes=20_000)
    yield writer
    writer.close()


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forwarder notices a death at once and sends soon again what was lost."""
    monkeypatch.setattr("reporting.forwarder.RESEND_MOST_S", 0.5)
    monkeypatch.setattr("reporting.forwarder.OWNER_LOOK_S", 0.05)


@pytest.fixture
def installation(settings: Settings) -> None:
    """Secrets of an installation, to make keys and settings with."""
    settings.DATA_KEYS = (("test", b"d" * 32),)
    settings.KEY_PEPPERS = (("test", b"p" * 32),)


@pytest.fixture
def noon() -> Iterator[None]:
    """Ten minutes after the events of the builders."""
    with time_machine.travel(AT + 600, tick=False):
        yield


@pytest.fixture
def key_id(installation: None, db: None) -> str:
    """A key whose name is markup."""
    setting = create_setting(provider="openai", setting={"apikey": "sk-x"})
    return str(create_key(name="Ms <Key>", setting_ids=[setting.pk])[0].pk)
