"""On PostgreSQL through the rows of keys; on SQLite against a database in memory, with the same cases."""

import json
import sqlite3

import pytest
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseWrapper

from keys.models import Key

ROWS = {"a": ["x"], "b": ["x", "y"], "c": ["it's", 'quo"te', "ü", "a,b"], "d": []}
CASES = [
    (["x"], "ab"),
    (["y", "x"], "b"),
    (["x", "x"], "ab"),
    (["it's", 'quo"te'], "c"),
    (["ü", "a,b"], "c"),
    (["X"], ""),
    (["x", "nobody"], ""),
    (["%"], ""),
    ([], "abcd"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("tags", "names"), CASES)
def test_postgresql_finds_the_rows_with_all_tags(tags: list[str], names: str) -> None:
    assert connection.vendor == "postgresql"
    Key.objects.bulk_create(
        Key(name=name, tags=held, digest=name, created_at=1, updated_at=1) for name, held in ROWS.items()
    )
    found = Key.objects.filter(tags__has_all=tags).values_list("name", flat=True)
    assert sorted(found) == list(names)


@pytest.mark.parametrize(("tags", "names"), CASES)
def test_sqlite_finds_the_rows_with_all_tags(tags: list[str], names: str) -> None:
    sqlite = DatabaseWrapper({"NAME": ":memory:", "ENGINE": "django.db.backends.sqlite3"}, alias="memory")
    query = Key.objects.filter(tags__has_all=tags).order_by().values("name").query
    sql, parameters = query.get_compiler(connection=sqlite).as_sql()
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE keys_key (name TEXT, tags TEXT)")
        database.executemany("INSERT INTO keys_key VALUES (?, ?)", [(n, json.dumps(t)) for n, t in ROWS.items()])
        found = database.execute(sql.replace("%s", "?"), parameters).fetchall()
    database.close()
    assert sorted(name for (name,) in found) == list(names)
