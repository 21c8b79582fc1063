"""Where a model version came from, and what came of it: Postgres and the version's manifest."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import ContentMissing
from app.db.datasets import DatasetRow, SplitRow
from app.db.files import FileRow
from app.db.jobs import JobRow
from app.db.models import ModelVersionRow
from app.db.studies import StudyRow
from app.registry.archive import FindDependants
from app.storage.base import Storage

#: predict jobs that are shown, newest first
_LIMIT = 200


def lineage_of(
    session: Session, storage: Storage, row: ModelVersionRow, *, finders: Sequence[FindDependants]
) -> dict[str, Any]:
    """File -> data set -> split -> features -> code -> this version -> aliases, predictions.

    `file` and `dataset` are None of an imported version; its parent says where it came from.
    """
    split = session.get(SplitRow, row.split_id) if row.split_id is not None else None
    job = session.get(JobRow, row.job_id) if row.job_id is not None else None
    manifest = _manifest(storage, row)
    dependants = [one for find in finders for one in find(session, row)]
    predictions = _predictions(session, row)
    return {
        "model": _named(row) | {"state": row.state, "sha256": row.sha256},
        **_data(session, row),
        "split": None
        if split is None
        else _plain(split, "id", "splitter", "params", "seed", "hash", "sizes", "test_uses"),
        "features": {
            "hash": row.feature_set_hash,
            "featurizers": manifest.get("features", []),
            "columns": manifest.get("columns", []),
        },
        "algorithm": {
            "name": row.algorithm,
            "version": manifest.get("algorithm_version"),
            "hyperparameters": row.hyperparameters,
            "seed": manifest.get("seed"),
        },
        "code": manifest.get("code") or {"version": None, "revision": None},
        "libraries": manifest.get("libraries", {}),
        "job": None if job is None else _job(job),
        "parents": _parents(session, row, job),
        "aliases": [one.name for one in dependants if one.kind == "alias"],
        "endpoints": [one.name for one in dependants if one.kind == "endpoint"],
        "predictions": [_job(one) for one in predictions[:_LIMIT]],
        "more": ["predictions"] if len(predictions) > _LIMIT else [],
    }


def _data(session: Session, row: ModelVersionRow) -> dict[str, Any]:
    if row.dataset_id is None:
        return {"file": None, "dataset": None}
    dataset = session.get_one(DatasetRow, row.dataset_id)
    named = {"id": dataset.id, "ref": f"{dataset.name}:{dataset.number}"}
    return {
        "file": _plain(session.get_one(FileRow, dataset.file_id), "id", "name", "sha256", "size"),
        "dataset": named | _plain(dataset, "sha256", "job_id"),
    }


def _parents(session: Session, row: ModelVersionRow, job: JobRow | None) -> list[dict[str, Any]]:
    """What it was made from: the study that tuned it, the version that its job runs again, the
    version elsewhere that was imported.
    """
    found: list[dict[str, Any]] = [
        {"kind": "study", "id": study.id, "metric": study.metric, "best": study.best}
        for study in session.scalars(select(StudyRow).where(StudyRow.model_id == row.id))
    ]
    if job is not None and job.rerun_of is not None:
        found.append({"kind": "rerun_of", "job_id": job.rerun_of, "model": None})
        made = session.scalar(
            select(ModelVersionRow).where(ModelVersionRow.job_id == job.rerun_of).limit(1)
        )
        if made is not None:
            found[-1]["model"] = _named(made)
    if (origin := row.imported_from) is not None:
        ref = f"{origin['name']}:{origin['number']}"
        found.append({"kind": "imported_from", "ref": ref, **origin})
    return found


def _predictions(session: Session, row: ModelVersionRow) -> Sequence[JobRow]:
    query = select(JobRow).where(
        JobRow.project_id == row.project_id,
        JobRow.kind == "predict",
        JobRow.params["model_id"].astext == str(row.id),
    )
    return session.scalars(query.order_by(JobRow.id.desc()).limit(_LIMIT + 1)).all()


def _manifest(storage: Storage, row: ModelVersionRow) -> dict[str, Any]:
    """Empty when the file is gone: the rest is told all the same."""
    try:
        found: dict[str, Any] = orjson.loads(storage.read(row.manifest_key))
    except ContentMissing:
        return {}
    return found


def _named(row: ModelVersionRow) -> dict[str, Any]:
    identity: UUID = row.id
    return {"id": identity, "ref": f"{row.name}:{row.number}", "created_at": row.created_at}


def _job(row: JobRow) -> dict[str, Any]:
    return _plain(row, "id", "kind", "state", "created_at", "created_by")


def _plain(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
