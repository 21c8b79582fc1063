"""What a row of a model costs: as its last chunks took, else by asking it about rows it knows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import redis

from app.db.database import Database
from app.features.fingerprints import WIDTH
from app.jobs.workers import alive_workers
from app.models.bundle import ModelBundle
from app.resources import Resources

#: the newest chunks of a model that speak
_CHUNKS = 40
#: of a table's row, until the first job has measured it
_TABLE_ROW_SECONDS = 2e-4
#: a probe stops after so many seconds, or molecules
_PROBE_SECONDS, _PROBE_ROWS = 0.5, 64

# chunks of the model's newest jobs: by ix_jobs_kind, then by the chunks' primary key
_MEASURED: LiteralString = """
SELECT percentile_cont(0.5) WITHIN GROUP (
           ORDER BY (result->>'seconds')::float / (result->>'rows')::int) AS cost
FROM (
    SELECT c.result FROM (
        SELECT id FROM jobs WHERE project_id = %(project)s AND kind = 'predict'
        ORDER BY id DESC LIMIT 200
    ) AS newest JOIN jobs j ON j.id = newest.id JOIN job_chunks c ON c.job_id = j.id
    WHERE j.params->>'model_id' = %(model)s AND c.state = 'succeeded'
      AND c.result->>'seconds' IS NOT NULL AND (c.result->>'rows')::int > 0
      AND (c.result->>'featurized')::boolean = %(featurized)s
    ORDER BY c.finished_at DESC LIMIT %(chunks)s
) AS measured
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    seconds_per_row: float
    #: chunks | probe | guess
    how: str


def cost_of(
    db: Database, project_id: UUID, model_id: UUID, bundle: ModelBundle, *, featurized: bool
) -> Cost:
    """Of one row, in seconds of one process; `featurized`: its features are at hand."""
    measured = _measured(db, project_id, model_id, featurized=featurized)
    if measured:
        return Cost(seconds_per_row=measured, how="chunks")
    known = _probe(bundle, featurized=featurized)
    if known:
        return Cost(seconds_per_row=known, how="probe")
    return Cost(seconds_per_row=_TABLE_ROW_SECONDS, how="guess")


def _measured(db: Database, project_id: UUID, model_id: UUID, *, featurized: bool) -> float | None:
    values = {"project": project_id, "model": str(model_id), "chunks": _CHUNKS}
    with db.cursor() as cursor:
        cursor.execute(_MEASURED, {**values, "featurized": featurized})
        row = cursor.fetchone()
    return float(row["cost"]) if row and row["cost"] else None


def _probe(bundle: ModelBundle, *, featurized: bool) -> float | None:
    """By molecules that the model has learned from: none of them can kill the process that plans,
    as one of the file's could. None for a model that keeps no molecules, or needs columns too.
    """
    known = bundle.assessor.references.smiles if bundle.assessor is not None else ()
    if not known or bundle.manifest.columns:
        return None
    if featurized:
        return _per_row(lambda smiles: _predict_featurized(bundle, len(smiles)), known)
    return _per_row(bundle.predict, known)


def _per_row(ask: Callable[[list[str]], object], known: Sequence[str]) -> float:
    """Seconds, of evenly chosen ones; the first call, which loads and compiles, is not counted."""
    chosen = list(known[:: max(1, len(known) // _PROBE_ROWS)][:_PROBE_ROWS])
    ask(chosen[:1])
    started = time.perf_counter()
    ask(chosen[:4])
    if (first := time.perf_counter() - started) > _PROBE_SECONDS / 8:
        return first / len(chosen[:4])
    started = time.perf_counter()
    ask(chosen)
    return (time.perf_counter() - started) / len(chosen)


def _predict_featurized(bundle: ModelBundle, n: int) -> None:
    """Of rows without any feature, as many as asked for."""
    import numpy as np

    feature_set = bundle.features.feature_set
    bundle.predict_featurized(
        canonical=[""] * n,
        reasons=[None] * n,
        molecular=np.zeros((n, feature_set.width), dtype=feature_set.dtype),
        bits=np.zeros((n, WIDTH), dtype=np.uint8),
    )


def processes_of(resources: Resources, queue: str) -> int:
    """How many processes of living workers take from the queue; 1 when nobody says."""
    try:
        workers = alive_workers(resources.cache)
    except redis.RedisError:
        return 1
    return max(1, sum(len(worker.processes) for worker in workers if queue in worker.queues))
