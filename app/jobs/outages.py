"""Which errors are outages (try again) rather than mistakes (tell the user)."""

import errno
import sys

import psycopg
import redis
import sqlalchemy.exc
from psycopg.errors import IdleInTransactionSessionTimeout

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


#: whatever their message says
_OUTAGES = (
    *(Retryable, ConnectionError, TimeoutError),
    *(psycopg.OperationalError, psycopg.InterfaceError),
    *(sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError),
    redis.RedisError,  # down, loading, out of memory, disk full
    # to psycopg an internal error; `Database` tells it as an outage, Optuna's engine does not
    IdleInTransactionSessionTimeout,
)


def is_outage(error: BaseException) -> bool:
    """Connections, servers and disks fail and come back; anything else stays wrong."""
    if isinstance(error, _OUTAGES):
        return True
    if isinstance(error, OSError):
        return error.errno in _DISK
    wrapped = _wrapped(error)
    return wrapped is not None and is_outage(wrapped)


def _wrapped(error: BaseException) -> BaseException | None:
    """What the database said, in the error of a library that passes it on."""
    wrapped: BaseException | None = None
    # who never met Optuna need not load it
    optuna = sys.modules.get("optuna")
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        wrapped = error.orig
    elif optuna is not None and isinstance(error, optuna.exceptions.StorageInternalError):
        wrapped = error.__cause__
    return wrapped
