"""Parts of Django's cache `answers`, which keeps what routes have answered. Named in settings."""

from typing import Any

from django_redis.pool import ConnectionFactory
from django_redis.serializers.base import BaseSerializer
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.retry import Retry


class AsBytes(BaseSerializer):
    """Stores bytes as they are. Whoever can write to Redis must not be able to make a proxy unpickle anything."""

    def dumps(self, value: Any) -> bytes:
        if not isinstance(value, bytes):
            raise TypeError("only bytes are stored here")
        return value

    def loads(self, value: bytes) -> bytes:
        return value


class OwnConnections(ConnectionFactory):
    """Connections with this cache's own time-outs, apart from those of other caches on the same server. One try each:
    an answer that has to be waited for is sooner had from its provider."""

    _pools: dict[str, ConnectionPool] = {}

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.pool_cls_kwargs: dict[str, Any] = {"retry": Retry(NoBackoff(), 0)}
