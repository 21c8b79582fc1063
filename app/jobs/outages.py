"""Which errors are outages (try again) rather than mistakes (tell the user)."""

import errno

import psycopg
import redis
import sqlalchemy.exc

from app.core.errors import Retryable

_DISK = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS),
        *(errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    }
)


def service_of(error: BaseException) -> str:
    """Which part failed, in words that name no host and no path."""
    if isinstance(error, psycopg.Error | sqlalchemy.exc.SQLAlchemyError):
        return "the database"
    if isinstance(error, redis.RedisError):
        return "the queue"
    if isinstance(error, OSError) and error.errno in _DISK:
        return "the disk"
    return "a service"


def is_outage(error: BaseException) -> bool:
    """Connections, servers and disks fail and come back; anything else stays wrong."""
    if isinstance(error, Retryable | ConnectionError | TimeoutError):
        return True
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return True
    if isinstance(error, redis.RedisError):  # down, loading, out of memory, disk full
        return True
    if isinstance(error, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError):
        return True
    return isinstance(error, OSError) and error.errno in _DISK
