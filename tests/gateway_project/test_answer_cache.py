import pytest

from gateway_project.answer_cache import AsBytes, OwnConnections


def test_bytes_are_stored_as_they_are_and_nothing_else() -> None:
    serializer = AsBytes({})
    assert serializer.loads(serializer.dumps(b"\x00\xff")) == b"\x00\xff"
    with pytest.raises(TypeError):
        serializer.dumps({"a": 1})


def test_what_looks_like_a_pickle_is_not_read_as_one() -> None:
    assert AsBytes({}).loads(b"cos\nsystem\n(S'true'\ntR.") == b"cos\nsystem\n(S'true'\ntR."


def test_connections_are_not_shared_and_try_once() -> None:
    from django_redis.pool import ConnectionFactory

    factory = OwnConnections({"SOCKET_TIMEOUT": 0.25})
    pool = factory.get_or_create_connection_pool(factory.make_connection_params("redis://127.0.0.1:1/0"))
    assert pool.connection_kwargs["retry"].get_retries() == 0
    assert pool.connection_kwargs["socket_timeout"] == 0.25
    assert OwnConnections._pools is not ConnectionFactory._pools
