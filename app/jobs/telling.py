"""What the event log is told of jobs: one place, called by the one statement that moves them.

Each move is a JobStateChanged; the end of a job of some kinds, and the start of a training, are
events of their own too.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from app.db.database import Cursor
from app.events import log
from app.events.log import NewEvent
from app.events.types import EventData
from app.events.types import data as of_data
from app.events.types import jobs as of_jobs
from app.events.types import learning as of_learning
from app.events.types import prediction as of_prediction
from app.events.types.base import FailedJobData
from app.jobs.model import Job
from app.jobs.states import JobState, Trigger

logger = logging.getLogger(__name__)

Json = dict[str, Any]
Tell = Callable[[Cursor, Job], list[EventData]]


def tell_moves(cursor: Cursor, trigger: Trigger, jobs: Sequence[Job]) -> None:
    """In the transaction that moved them, while their rows are locked."""
    log.record(
        cursor,
        [
            NewEvent(
                project_id=job.project_id,
                subject=f"jobs/{job.id}",
                correlation_id=job.correlation_id,
                labels=job.labels,
                data=data,
            )
            for job in jobs
            for data in (_changed(trigger, job), *_own(cursor, job))
        ],
    )


def _own(cursor: Cursor, job: Job) -> list[EventData]:
    """The events of its kind. What cannot be told is an error of ours, in the log of the process:
    a job's end does not depend on it.
    """
    try:
        if job.state is JobState.SUCCEEDED and job.kind in _SUCCEEDED:
            return _SUCCEEDED[job.kind](cursor, job)
        if job.state in (JobState.FAILED, JobState.CANCELLED) and job.kind in _FAILED:
            return [_FAILED[job.kind](**_failure(job))]
        if job.state is JobState.RUNNING and job.kind == "train":
            return [
                of_learning.ModelTrainingStarted(**_ids(job), model_name=job.params.get("name"))
            ]
    except (ValidationError, KeyError, TypeError):
        logger.exception("the end of job %s (%s) could not be told", job.id, job.kind)
    return []


def _changed(trigger: Trigger, job: Job) -> EventData:
    return of_jobs.JobStateChanged(
        **_ids(job),
        kind=job.kind,
        state=job.state.value,
        trigger=trigger.value,
        attempt=job.attempt,
        job_version=job.version,
        progress=job.progress,
    )


def _ids(job: Job) -> Json:
    return {
        "id": job.client_ref or str(job.id),
        "user_id": job.created_by,
        "correlation_id": job.correlation_id,
        "job_id": str(job.id),
    }


def _failure(job: Job) -> Json:
    problem = job.error or {}
    message = problem.get("detail") or f"the job was {job.state.value}"
    return {**_ids(job), "message": message, "problem": job.error}


def _featurizers(job: Job) -> list[str]:
    return [spec["name"] for spec in job.params.get("features") or ()]


# ---- what has succeeded


def _ingested(cursor: Cursor, job: Job) -> list[EventData]:
    result = job.result or {}
    cursor.execute("SELECT name, number FROM datasets WHERE id = %s", (result["dataset_id"],))
    row = cursor.fetchone() or {"name": "", "number": 0}
    return [
        of_data.DatasetIngested(
            **_ids(job), dataset_id=result["dataset_id"], counts=job.counts, **row
        )
    ]


def _featurized(cursor: Cursor, job: Job) -> list[EventData]:
    del cursor
    result = job.result or {}
    return [
        of_data.FeatureVectorsCalculated(
            **_ids(job),
            dataset_id=result["dataset_id"],
            feature_artifact=result["manifest_key"],
            structures=result["rows"],
            columns=result["width"],
            failed=result["failed"],
            fingerprints=_featurizers(job),
        )
    ]


def _trained(cursor: Cursor, job: Job) -> list[EventData]:
    result = job.result or {}
    if "model_id" not in result:
        return []
    cursor.execute(
        "SELECT m.name, m.number, m.task, m.algorithm, m.targets, m.metrics->'test' AS test,"
        " m.metrics->'mean' AS mean, m.manifest_key, d.name AS dataset, d.number AS dataset_number"
        " FROM models m LEFT JOIN datasets d ON d.id = m.dataset_id WHERE m.id = %s",
        (result["model_id"],),
    )
    row = cursor.fetchone()
    if row is None:
        return []
    targets: list[Json] = row["targets"]
    units = ", ".join(target["unit"] for target in targets if target.get("unit"))
    return [
        of_learning.ModelTrained(
            **_ids(job),
            model_id=result["model_id"],
            name=row["name"],
            version=row["number"],
            metrics={"test": row["test"], "mean": row["mean"]},
            property=of_learning.ModelProperty(
                category=row["task"],
                name=", ".join(target["name"] for target in targets),
                units=units or None,
            ),
            dataset=of_learning.TrainedOn(title=f"{row['dataset']}:{row['dataset_number']}"),
            method_display_name=row["algorithm"],
            available_single_structure_prediction=True,
            artifact=row["manifest_key"],
        )
    ]


def _optimized(cursor: Cursor, job: Job) -> list[EventData]:
    result = job.result or {}
    tuned = of_learning.TrainingOptimized(
        **_ids(job),
        study_id=result["study_id"],
        best_params=result["best_params"],
        best_score=result["best_value"],
        fingerprints=_featurizers(job),
        k_fold=job.params.get("folds"),
    )
    return [tuned, *_trained(cursor, job)]


def _evaluated(cursor: Cursor, job: Job) -> list[EventData]:
    del cursor
    result = job.result or {}
    named = ("evaluation_id", "model_id", "model_ref", "dataset_id")
    metrics = result.get("metrics") or {}
    summary = {"part": result.get("part"), "mean": metrics.get("mean")}
    return [
        of_learning.ModelEvaluated(
            **_ids(job), **{name: result[name] for name in named}, summary=summary
        )
    ]


def _predicted(cursor: Cursor, job: Job) -> list[EventData]:
    result = job.result or {}
    cursor.execute("SELECT id, name, role FROM files WHERE job_id = %s ORDER BY id", (job.id,))
    files = cursor.fetchall()
    answers = [row for row in files if row["role"] == "predictions"]
    reference = str(result["model"])
    number = reference.rpartition(":")[2]
    return [
        of_prediction.PropertiesPredicted(
            **_ids(job),
            file_id=str(answers[0]["id"]) if answers else None,
            file_name=answers[0]["name"] if answers else None,
            files={row["name"]: str(row["id"]) for row in files},
            counts=job.counts,
            model_id=result["model_id"],
            model=reference,
            version=int(number) if number.isdigit() else None,
        )
    ]


def _structure_predicted(cursor: Cursor, job: Job) -> list[EventData]:
    del cursor
    data = (job.result or {})["data"]
    return [of_prediction.PredictedResultReady(**_ids(job), data=data)]


_SUCCEEDED: dict[str, Tell] = {
    "ingest": _ingested,
    "featurize": _featurized,
    "train": _trained,
    "optimize": _optimized,
    "evaluate": _evaluated,
    "predict": _predicted,
    "predict_structure": _structure_predicted,
}
_FAILED: dict[str, type[FailedJobData]] = {
    "ingest": of_data.DatasetIngestionFailed,
    "featurize": of_data.FeatureVectorsCalculationFailed,
    "train": of_learning.TrainingFailed,
    "optimize": of_learning.TrainingOptimizationFailed,
    "predict": of_prediction.PredictionFailed,
    "predict_structure": of_prediction.PredictionFailed,
}
