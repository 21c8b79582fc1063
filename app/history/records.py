"""Past predictions as lists, newest first, each by an index; and their removal."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from app.core.errors import NotFound
from app.core.ids import first_id
from app.db.database import Cursor, Database
from app.history.entries import Mode

#: rows that one call deletes; who has more calls again
MOST_DELETED = 10_000
#: ids and `created_at` are made one after the other
_APART = timedelta(seconds=1)
_DIGITS = 32

#: as in app/jobs/listing.py: the index that has to be followed least far serves, not the one whose
#: rows lie side by side (that is the primary key, which passes everybody else's predictions too)
_PLANNING: LiteralString = (
    "SELECT set_config('enable_seqscan', 'off', true),"
    " set_config('seq_page_cost', '0', true), set_config('random_page_cost', '0', true)"
)

COLUMNS: LiteralString = (
    "id, created_at, created_by, model_id, model_name, model_number, endpoint_id,"
    " endpoint_revision, mode, structure, inchikey, input, output, cached, latency_ms,"
    " request_id, expires_at"
)


@dataclass(frozen=True, kw_only=True)
class PredictionFilter:
    """Every field that is given must hold; none: every prediction of the project."""

    model_name: str | None = None
    model_number: int | None = None
    #: `structure_key` of a standardized structure
    structure_key: str | None = None
    endpoint_id: UUID | None = None
    mode: Mode | None = None
    request_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def where(self, project_id: UUID) -> tuple[LiteralString, dict[str, Any]]:
        """A condition on `predictions` and its values. Only what is asked for is in it, so that
        the planner sees which index serves.
        """
        values = {name: value for name, value in vars(self).items() if value is not None}
        conditions = ["project_id = %(project_id)s", *(_CONDITIONS[name] for name in values)]
        if self.mode is not None:
            # as a constant: the index of what was not live is a partial one
            conditions.append(_MODES[self.mode])
        if self.created_after is not None:
            values["first_id"] = first_id(self.created_after, -_APART)
        if self.created_before is not None:
            values["last_id"] = first_id(self.created_before, _APART)
        return " AND ".join(conditions), {**values, "project_id": project_id}


_CONDITIONS: dict[str, LiteralString] = {
    "model_name": "model_name = %(model_name)s",
    "model_number": "model_number = %(model_number)s",
    "structure_key": "structure_key = %(structure_key)s",
    "endpoint_id": "endpoint_id = %(endpoint_id)s",
    "mode": "TRUE",
    "request_id": "request_id = %(request_id)s",
    "created_after": "created_at > %(created_after)s AND id >= %(first_id)s",
    "created_before": "created_at < %(created_before)s AND id < %(last_id)s",
}
_MODES: dict[Mode, LiteralString] = {
    "live": "mode = 'live'",
    "shadow": "mode = 'shadow'",
    "fallback": "mode = 'fallback'",
}


def structure_key(canonical_smiles: str) -> str:
    """By which a standardized structure is found; the same as the SQL of app/history/sink.py."""
    return hashlib.sha256(canonical_smiles.encode()).hexdigest()[:_DIGITS]


def list_predictions(
    db: Database,
    project_id: UUID,
    filters: PredictionFilter,
    *,
    limit: int,
    before_id: UUID | None = None,
) -> list[dict[str, Any]]:
    """Newest first, at most `limit` older than `before_id`; dicts of COLUMNS."""
    where, values = filters.where(project_id)
    older: LiteralString = "" if before_id is None else " AND id < %(before_id)s"
    with db.cursor() as cursor:
        cursor.execute(_PLANNING)
        cursor.execute(
            f"SELECT {COLUMNS} FROM predictions WHERE {where}{older} ORDER BY id DESC"
            " LIMIT %(limit)s",
            {**values, "before_id": before_id, "limit": limit},
        )
        return cursor.fetchall()


def latest_predictions(
    db: Database, project_id: UUID, key: str, *, limit: int = 200
) -> list[dict[str, Any]]:
    """Of a structure (`structure_key`): the newest prediction of each model name, by name. One
    step through the index for each name, however many predictions there are.
    """
    with db.cursor() as cursor:
        cursor.execute(_LATEST, {"project_id": project_id, "key": key, "limit": limit})
        ids = [row["id"] for row in cursor.fetchall()]
        cursor.execute(
            f"SELECT {COLUMNS} FROM predictions WHERE id = ANY(%s) ORDER BY model_name", (ids,)
        )
        return cursor.fetchall()


_OF_NAME: LiteralString = (
    "SELECT id, model_name FROM predictions WHERE project_id = %(project_id)s"
    " AND structure_key = %(key)s"
)
_LATEST: LiteralString = f"""
WITH RECURSIVE newest AS (
  ({_OF_NAME} ORDER BY model_name, id DESC LIMIT 1)
  UNION ALL
  SELECT next.id, next.model_name FROM newest, LATERAL (
    {_OF_NAME} AND model_name > newest.model_name ORDER BY model_name, id DESC LIMIT 1
  ) AS next
)
SELECT id FROM newest LIMIT %(limit)s
"""


def get_prediction(db: Database, project_id: UUID, prediction_id: UUID) -> dict[str, Any]:
    """A dict of COLUMNS. Raises NotFound."""
    with db.cursor() as cursor:
        cursor.execute(
            f"SELECT {COLUMNS} FROM predictions WHERE id = %s AND project_id = %s",
            (prediction_id, project_id),
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound(
            f"there is no prediction {prediction_id}",
            remedy="Predictions are stored when the request or the endpoint asks for it, about two"
            " seconds after the answer, and removed after some time. GET /api/v1/predictions lists"
            " them.",
        )
    return row


def known_structure(db: Database, project_id: UUID, text: str, input_hash: str) -> str | None:
    """The key of the structure that `text` means, as far as predictions tell: it is one's
    standardized structure, or somebody sent just this (`input_hash`: its input_key).
    """
    key = structure_key(text)
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM predictions WHERE project_id = %s AND structure_key = %s LIMIT 1",
            (project_id, key),
        )
        if cursor.fetchone() is not None:
            return key
        cursor.execute(
            "SELECT structure_key FROM predictions WHERE input_hash = %s AND project_id = %s"
            " AND structure_key IS NOT NULL LIMIT 1",
            (input_hash, project_id),
        )
        row = cursor.fetchone()
    return None if row is None else row["structure_key"]


def delete_predictions(cursor: Cursor, project_id: UUID, filters: PredictionFilter) -> int:
    """At most MOST_DELETED, oldest first; how many."""
    where, values = filters.where(project_id)
    cursor.execute(
        f"DELETE FROM predictions WHERE id IN (SELECT id FROM predictions WHERE {where}"
        " ORDER BY id LIMIT %(most)s)",
        {**values, "most": MOST_DELETED},
    )
    return cursor.rowcount


def delete_prediction(cursor: Cursor, project_id: UUID, prediction_id: UUID) -> bool:
    cursor.execute(
        "DELETE FROM predictions WHERE id = %s AND project_id = %s", (prediction_id, project_id)
    )
    return cursor.rowcount == 1


def models_used(rows: Sequence[dict[str, Any]]) -> list[str]:
    """`name:number` of every version that made one of `rows`."""
    return [
        f"{name}:{n}" for name, n in sorted({(r["model_name"], r["model_number"]) for r in rows})
    ]
