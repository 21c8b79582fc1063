"""What the database knows of an endpoint's arms: their minutes, their stored predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db.database import Cursor
from app.db.endpoints import EndpointRow
from app.endpoints.latency import N_BUCKETS
from app.endpoints.metering import Counts

#: one statement, so that what a gateway adds meanwhile is in all of its figures or in none
_ARMS: LiteralString = """
WITH m AS MATERIALIZED (
  SELECT * FROM endpoint_minutes WHERE endpoint_id = %(endpoint)s
    AND (%(revisions)s::bigint[] IS NULL OR revision = ANY(%(revisions)s))
    AND (%(since)s::timestamptz IS NULL OR minute >= %(since)s)
), arms AS (
  SELECT model_id, mode, sum(requests)::bigint AS requests, sum(inputs)::bigint AS inputs,
    sum(errors)::bigint AS errors, sum(refused)::bigint AS refused,
    sum(cached)::bigint AS cached, sum(out_of_domain)::bigint AS out_of_domain,
    sum(fallbacks)::bigint AS fallbacks
  FROM m GROUP BY model_id, mode
), places AS (
  SELECT model_id, mode, place, sum(t.n)::bigint AS n
  FROM m, unnest(m.latency) WITH ORDINALITY AS t(n, place)
  WHERE place <= %(buckets)s GROUP BY model_id, mode, place
), latencies AS (
  SELECT model_id, mode, array_agg(n ORDER BY place) AS latency
  FROM places GROUP BY model_id, mode
)
SELECT * FROM arms LEFT JOIN latencies USING (model_id, mode)
"""
_SERIES: LiteralString = """
SELECT minute, revision, model_id, mode, requests, inputs, errors, refused, cached, out_of_domain,
  fallbacks, latency FROM endpoint_minutes
WHERE endpoint_id = %s AND minute >= %s ORDER BY minute, revision, model_id, mode
"""
#: an input that was asked for several times in one request, by several ids, is one observation
_PAIRS: LiteralString = """
SELECT l.output AS live, s.output AS shadow FROM predictions s
JOIN predictions l ON l.project_id = s.project_id AND l.request_id = s.request_id
  AND l.endpoint_id = s.endpoint_id AND l.input_hash = s.input_hash AND l.mode = 'live'
  AND l.model_id <> s.model_id AND (%(live)s::uuid IS NULL OR l.model_id = %(live)s)
WHERE s.project_id = %(project)s AND s.endpoint_id = %(endpoint)s AND s.mode = 'shadow'
  AND s.model_id = %(shadow)s
  AND (%(revisions)s::bigint[] IS NULL OR s.endpoint_revision = ANY(%(revisions)s))
  AND (%(since)s::timestamptz IS NULL OR s.created_at >= %(since)s)
  AND NOT EXISTS (SELECT FROM predictions e WHERE e.project_id = s.project_id
    AND e.request_id = s.request_id AND e.endpoint_id = s.endpoint_id AND e.mode = 'shadow'
    AND e.model_id = s.model_id AND e.input_hash = s.input_hash AND e.id < s.id)
  AND NOT EXISTS (SELECT FROM predictions e WHERE e.project_id = l.project_id
    AND e.request_id = l.request_id AND e.endpoint_id = l.endpoint_id AND e.mode = 'live'
    AND e.model_id = l.model_id AND e.input_hash = l.input_hash AND e.id < l.id)
ORDER BY s.id DESC LIMIT %(limit)s
"""
#: a prediction of each model for each outcome: the newest; an outcome that was corrected counts
#: once, as it was said last
_OUTCOMES: LiteralString = """
WITH known AS (
  SELECT DISTINCT ON (request_id, input_id, structure, target) * FROM endpoint_outcomes
  WHERE endpoint_id = %(endpoint)s ORDER BY request_id, input_id, structure, target, id DESC
)
SELECT DISTINCT ON (o.id, p.model_id)
  o.id, o.target, o.number, o.label, p.model_id, p.output, p.created_at
FROM known o JOIN predictions p ON p.project_id = %(project)s AND p.endpoint_id = %(endpoint)s
  AND (%(revisions)s::bigint[] IS NULL OR p.endpoint_revision = ANY(%(revisions)s))
  AND (%(since)s::timestamptz IS NULL OR p.created_at >= %(since)s)
  AND CASE WHEN o.structure IS NULL
    THEN p.request_id = o.request_id
      AND (o.input_id IS NULL OR p.input->>'id' = o.input_id)
    ELSE p.input->>'smiles' = o.structure OR p.structure = o.structure END
ORDER BY o.id, p.model_id, p.id DESC LIMIT %(limit)s
"""
_BEGINNINGS: LiteralString = """
SELECT model_id, mode, min(minute) AS minute FROM endpoint_minutes
WHERE endpoint_id = %s AND revision = %s GROUP BY model_id, mode
"""
#: what one comparison reads at most
MOST_PAIRS = 100_000


@dataclass(frozen=True, kw_only=True)
class Period:
    """Of these revisions, and since this moment; None: all."""

    revisions: Sequence[int] | None = None
    since: datetime | None = None

    def as_values(self) -> dict[str, Any]:
        """For the queries here."""
        revisions = None if self.revisions is None else list(self.revisions)
        return {"revisions": revisions, "since": self.since}


#: all that is known
ALWAYS = Period()


def arms_of(cursor: Cursor, endpoint_id: UUID, period: Period) -> dict[tuple[UUID, str], Counts]:
    """By model and mode."""
    values = {"endpoint": endpoint_id, "buckets": N_BUCKETS, **period.as_values()}
    cursor.execute(_ARMS, values)
    return {(row.pop("model_id"), row.pop("mode")): _counts(row) for row in cursor.fetchall()}


def _counts(row: dict[str, Any]) -> Counts:
    """Minutes of another release may have fewer buckets."""
    latency = row.pop("latency") or []
    return Counts(**row, latency=latency + [0] * (N_BUCKETS - len(latency)))


def beginnings_of(
    cursor: Cursor, endpoint_id: UUID, revision: int
) -> dict[tuple[UUID, str], datetime]:
    """By model and mode, the minute in which it was first asked in this revision."""
    cursor.execute(_BEGINNINGS, (endpoint_id, revision))
    return {(row["model_id"], row["mode"]): row["minute"] for row in cursor.fetchall()}


def minutes_of(cursor: Cursor, endpoint_id: UUID, since: datetime) -> list[dict[str, Any]]:
    cursor.execute(_SERIES, (endpoint_id, since))
    return cursor.fetchall()


def has_predictions(cursor: Cursor) -> bool:
    """Whether this installation stores predictions at all."""
    cursor.execute("SELECT to_regclass('predictions') IS NOT NULL AS there")
    row = cursor.fetchone()
    return row is not None and bool(row["there"])


def pairs_of(
    cursor: Cursor,
    endpoint: EndpointRow,
    shadow: UUID,
    *,
    live: UUID | None = None,
    period: Period = ALWAYS,
) -> list[tuple[Any, Any]]:
    """(output of the live model, of the shadow) of the same inputs in the same requests; newest
    first. `live`: only of this model; None: of any other than the shadow.
    """
    if not has_predictions(cursor):
        return []
    values = {
        "project": endpoint.project_id,
        "endpoint": endpoint.id,
        "live": live,
        "shadow": shadow,
        "limit": MOST_PAIRS,
        **period.as_values(),
    }
    cursor.execute(_PAIRS, values)
    return [(row["live"], row["shadow"]) for row in cursor.fetchall()]


def outcomes_of(
    cursor: Cursor, endpoint: EndpointRow, period: Period = ALWAYS
) -> list[dict[str, Any]]:
    """Outcomes, whenever they were measured, with what each model had predicted in the period: id,
    target, number, label, model_id, output, created_at (of the newest prediction).
    """
    if not has_predictions(cursor):
        return []
    values = {
        "project": endpoint.project_id,
        "endpoint": endpoint.id,
        "limit": MOST_PAIRS,
        **period.as_values(),
    }
    cursor.execute(_OUTCOMES, values)
    return cursor.fetchall()
