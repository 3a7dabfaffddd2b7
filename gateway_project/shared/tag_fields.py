"""A JSON column that holds a list of tags and can be asked for rows that carry all of some."""

import json
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import JSONField, Lookup
from django.db.models.sql.compiler import SQLCompiler


class TagsField(JSONField):
    """A list of strings. `tags__has_all=["a", "b"]` finds the rows that carry every one of them.

    On PostgreSQL the lookup is one containment test, which a GIN index of class jsonb_path_ops serves.
    """

    description = "A list of tags"


@TagsField.register_lookup
class HasAll(Lookup):
    """The column's list holds every given tag; an empty list of tags is held by every row."""

    lookup_name = "has_all"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        column, parameters = self.process_lhs(compiler, connection)
        wanted = json.dumps(list(self.rhs))
        if connection.vendor == "postgresql":
            return f"{column} @> %s::jsonb", (*parameters, wanted)
        # The column is quoted by Django; the tags are bound.
        missing = f"SELECT 1 FROM json_each(%s) w WHERE w.value NOT IN (SELECT value FROM json_each({column}))"  # noqa: S608
        return f"NOT EXISTS ({missing})", (wanted, *parameters)
