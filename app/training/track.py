"""Committed model versions shown in MLflow, after the fact: an outage there fails no job."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, select, update

from app.core.errors import NotFound, Retryable
from app.db.models import ModelVersionRow
from app.resources import Resources
from app.tracking.base import TrackedModel, Tracker
from app.tracking.mlflow_tracker import MlflowTracker

#: after so many tries a version is left alone (until an operator resets track_attempts)
_MAX_ATTEMPTS = 50


def pending_models(resources: Resources, *, limit: int) -> Sequence[UUID]:
    """Versions that the tracker does not know yet, oldest first; none when there is no tracker."""
    if not resources.settings.mlflow_tracking_uri:
        return []
    with resources.database.session() as session:
        return session.scalars(
            select(ModelVersionRow.id)
            .where(
                ModelVersionRow.tracked_at.is_(None),
                ModelVersionRow.track_attempts < _MAX_ATTEMPTS,
            )
            .order_by(ModelVersionRow.id)
            .limit(limit)
        ).all()


def track_model(resources: Resources, model_id: UUID, tracker: Tracker | None = None) -> str:
    """Log one version; its run id. Raises Retryable for an outage (and counts it), NotFound."""
    tracker = tracker or MlflowTracker(resources.settings.mlflow_tracking_uri)
    with resources.database.session() as session:
        row = session.get(ModelVersionRow, model_id)
    if row is None:
        raise NotFound(f"there is no model {model_id}")
    try:
        run_id = tracker.log(_tracked(resources, row))
    except Retryable:
        _update(resources, model_id, track_attempts=ModelVersionRow.track_attempts + 1)
        raise
    _update(resources, model_id, mlflow_run_id=run_id, tracked_at=func.now())
    return run_id


def _update(resources: Resources, model_id: UUID, **values: Any) -> None:
    with resources.database.session() as session:
        session.execute(
            update(ModelVersionRow).where(ModelVersionRow.id == model_id).values(**values)
        )


def _tracked(resources: Resources, row: ModelVersionRow) -> TrackedModel:
    folder = row.manifest_key.rpartition("/")[0]
    manifest = orjson.loads(resources.storage.read(row.manifest_key))
    shown = [name for name in manifest["files"] if "/" not in name]
    return TrackedModel(
        model_id=str(row.id),
        name=row.name,
        number=row.number,
        params={
            "algorithm": row.algorithm,
            **{f"algorithm.{name}": value for name, value in row.hyperparameters.items()},
            "features": "+".join(spec["name"] for spec in manifest["features"]),
            "split": manifest["split"]["name"],
            "split.seed": manifest["split"]["seed"],
            "seed": manifest["seed"],
        },
        metrics=_flat(row.metrics),
        tags={
            "retort.job_id": str(row.job_id),
            "retort.dataset": manifest["dataset"]["ref"],
            "retort.split_hash": manifest["split"]["hash"],
            "retort.version": str(row.number),
        },
        artifacts={
            "manifest.json": resources.storage.read(row.manifest_key),
            **{name: resources.storage.read(f"{folder}/{name}") for name in shown},
        },
    )


def _flat(metrics: dict[str, Any]) -> dict[str, float]:
    """`test_rmse` (mean over targets) and `baseline_rmse`."""
    flat: dict[str, float] = {}
    for prefix, part in (("test", "mean"), ("baseline", "baseline_mean")):
        for name, figure in metrics.get(part, {}).items():
            if figure["value"] is not None:
                flat[f"{prefix}_{name}"] = figure["value"]
    return flat
