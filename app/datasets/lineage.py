"""Where a data set came from, and what came of it: read from Postgres only."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.errors import InvalidInput
from app.db.datasets import DatasetRow, SplitRow
from app.db.files import FileRow
from app.db.jobs import JobRow
from app.db.models import AliasRow, ModelVersionRow
from app.metrics.evaluate import default_metric

#: of each kind of node, newest first; `more` names the kinds that have others
_LIMIT = 200
_MAX_LABELS = 50


def lineage_of(session: Session, row: DatasetRow) -> dict[str, Any]:
    """File -> ingest job -> versions of that name -> splits -> models -> aliases -> predict jobs.

    Splits, models and what follows are those of `row`'s version.
    """
    versions = _newest(session, _versions(row))
    splits = _newest(session, select(SplitRow).where(SplitRow.dataset_id == row.id))
    models = _newest(session, select(ModelVersionRow).where(ModelVersionRow.dataset_id == row.id))
    predictions = _newest(session, _predict_jobs(row, [model.id for model in models]))
    found = {"versions": versions, "splits": splits, "models": models, "predictions": predictions}
    refs = {model.id: f"{model.name}:{model.number}" for model in models[:_LIMIT]}
    aliases = _aliases(session, row, list(refs))
    return {
        "dataset": {"id": row.id, "ref": f"{row.name}:{row.number}", "sha256": row.sha256},
        "file": _file(session.get_one(FileRow, row.file_id)),
        "ingest": _job(session.get(JobRow, row.job_id)) if row.job_id is not None else None,
        "versions": [_version(version) for version in versions[:_LIMIT]],
        "splits": [_split(split) for split in splits[:_LIMIT]],
        "models": [_model(model, aliases.get(model.id, [])) for model in models[:_LIMIT]],
        "predictions": [
            _job(job) | {"model": refs.get(UUID(job.params["model_id"]))}
            for job in predictions[:_LIMIT]
        ],
        "more": [name for name, nodes in found.items() if len(nodes) > _LIMIT],
    }


def merge_labels(labels: Mapping[str, str], change: Mapping[str, str | None]) -> dict[str, str]:
    """`change` merged in, null removes. Raises InvalidInput when too many would be kept."""
    merged = {**labels, **change}
    kept = {name: value for name, value in merged.items() if value is not None}
    if len(kept) > _MAX_LABELS:
        raise InvalidInput(
            f"it would have {len(kept)} labels; {_MAX_LABELS} are allowed",
            remedy='Remove some in the same request: {"labels": {"name": null}}.',
        )
    return kept


def _newest(session: Session, query: Select[Any]) -> Sequence[Any]:
    """One more than is shown, to know whether there are others."""
    entity = query.column_descriptions[0]["entity"]
    return session.scalars(query.order_by(entity.id.desc()).limit(_LIMIT + 1)).all()


def _versions(row: DatasetRow) -> Select[Any]:
    return select(DatasetRow).where(
        DatasetRow.project_id == row.project_id, DatasetRow.name == row.name
    )


def _predict_jobs(row: DatasetRow, models: Sequence[UUID]) -> Select[Any]:
    return select(JobRow).where(
        JobRow.project_id == row.project_id,
        JobRow.kind == "predict",
        JobRow.params["model_id"].astext.in_([str(model) for model in models]),
    )


def _aliases(session: Session, row: DatasetRow, models: Sequence[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {}
    query = select(AliasRow).where(
        AliasRow.project_id == row.project_id, AliasRow.model_id.in_(models)
    )
    for alias in session.scalars(query.order_by(AliasRow.alias)):
        found.setdefault(alias.model_id, []).append(alias.alias)
    return found


def _file(row: FileRow) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "sha256": row.sha256, "size": row.size}


def _job(row: JobRow | None) -> dict[str, Any]:
    if row is None:
        return {}
    names = ("id", "kind", "state", "created_at", "created_by")
    return {name: getattr(row, name) for name in names}


def _version(row: DatasetRow) -> dict[str, Any]:
    names = ("id", "file_id", "job_id", "rows_in", "rows_ok", "sha256", "created_at")
    return {"ref": f"{row.name}:{row.number}"} | {name: getattr(row, name) for name in names}


def _split(row: SplitRow) -> dict[str, Any]:
    names = ("id", "splitter", "seed", "hash", "sizes", "test_uses", "created_at")
    return {name: getattr(row, name) for name in names}


def _model(row: ModelVersionRow, aliases: Sequence[str]) -> dict[str, Any]:
    names = ("id", "state", "task", "algorithm", "split_id", "job_id", "created_at")
    return {
        "ref": f"{row.name}:{row.number}",
        **{name: getattr(row, name) for name in names},
        "metric": _metric(row),
        "aliases": list(aliases),
    }


def _metric(row: ModelVersionRow) -> dict[str, Any] | None:
    """The task's main metric on the test rows, mean over targets."""
    name = default_metric(row.task)
    figure = row.metrics.get("mean", {}).get(name)
    return {"name": name, "part": "test", "value": figure.get("value")} if figure else None
