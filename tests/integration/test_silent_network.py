"""A server that is gone without a word is noticed before a lease is over."""

from app.core.settings import Settings


def parameters(connection):
    found = connection.info.get_parameters()
    names = ("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")
    return tuple(int(found[name]) for name in names)


def test_every_connection_to_postgres_watches_its_network(database):
    with database.cursor() as cursor:
        pooled = parameters(cursor.connection)
    with database.connect() as listening:
        assert parameters(listening) == pooled
    idle, interval, count, unanswered = pooled
    lease = Settings().lease_seconds
    assert idle + interval * count < lease
    assert unanswered / 1000 < lease
