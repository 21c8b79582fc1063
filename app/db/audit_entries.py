"""Writing the audit log with bare SQL, in the transaction of what an entry tells of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from json import dumps
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.core.ids import new_id
from app.core.origin import Origin, current_origin
from app.core.redaction import redacted, redacted_body

Cursor = psycopg.Cursor[DictRow]

#: only where the transaction has changed something: Postgres gives it a number at its first write
_IF_CHANGED: LiteralString = """
INSERT INTO audit_log (id, project_id, principal, action, resource, details, before_hash, after,
    request_id, ip, user_agent)
SELECT id, project_id, principal, action, resource, details, before_hash, after,
    request_id, ip, user_agent
FROM jsonb_to_record(%s) AS new (id uuid, project_id uuid, principal text, action text,
    resource text, details jsonb, before_hash text, after jsonb, request_id text, ip text,
    user_agent text)
WHERE pg_current_xact_id_if_assigned() IS NOT NULL
"""


@contextmanager
def telling(cursor_of: Callable[[], Cursor]) -> Iterator[None]:
    """Around a transaction of a request: what it changed is told by one entry of the request, at
    the latest just before the commit. Both happen or neither.
    """
    origin = current_origin()
    if origin is None or not origin.writes:
        yield
        return
    told = origin.recorded
    try:
        yield
        if origin.pending:
            _tell(cursor_of(), origin)
    except BaseException:
        origin.recorded = told
        raise


def _tell(cursor: Cursor, origin: Origin) -> None:
    action, resource = origin.read_route()
    values = {
        "id": new_id(),
        "project_id": origin.project_id,
        "principal": origin.principal,
        "action": action,
        "resource": resource,
        "details": redacted(origin.details),
        "before_hash": origin.before,
        "after": redacted_body(origin.body),
        **asked_from(origin),
    }
    cursor.execute(_IF_CHANGED, (Jsonb(values, dumps=partial(dumps, default=str)),))
    origin.recorded += cursor.rowcount


def asked_from(origin: Origin | None) -> dict[str, Any]:
    """The columns that say where a request came from."""
    if origin is None:
        return {"request_id": None, "ip": None, "user_agent": None}
    return {
        "request_id": origin.request_id,
        "ip": origin.ip,
        "user_agent": origin.user_agent,
    }
