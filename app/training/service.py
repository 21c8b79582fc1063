"""train: one algorithm on one split of one data set becomes a model version."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.algorithms.base import Algorithm, Examples, FitContext, FittedModel, algorithms
from app.core.errors import InvalidInput
from app.core.ids import new_id
from app.core.work import Outcome, WorkContext
from app.datasets.records import Dataset, load_dataset
from app.db.models import ModelVersionRow
from app.features.compute import FeatureSet
from app.features.matrix import dataset_matrix
from app.models.bundle import BundleManifest, ModelBundle, SavedBundle, libraries
from app.models.records import next_number, set_alias
from app.resources import Resources
from app.splitters.base import Indices
from app.training.checkpoints import BlobCheckpoints
from app.training.evaluating import (
    calibrate,
    evaluate_baseline,
    evaluate_targets,
    headline,
    mean_over_targets,
)
from app.training.examples import Labels, read_labels
from app.training.params import LearnSpec, TrainParams
from app.training.plots import plot_test_rows
from app.training.reports import target_reports
from app.training.splitting import StoredSplit, split_dataset
from app.training.tables import predictions_table

_STAGES = ("load", "featurize", "fit", "evaluate", "save")


@dataclass(frozen=True, kw_only=True)
class Material:
    """A data set ready to learn from: labels, split, and features of rows that have both."""

    dataset: Dataset
    labels: Labels
    split: StoredSplit
    feature_set: FeatureSet
    #: (rows, width)
    X: NDArray[Any]
    #: rows without features, in the data set's order
    featureless: frozenset[int]

    def examples(self, rows: Indices) -> Examples:
        return Examples(X=self.X[rows], y=self.labels.y[rows])

    def usable(self, rows: Indices) -> Indices:
        return np.asarray([row for row in rows if row not in self.featureless], dtype=np.int64)


def prepare(resources: Resources, context: WorkContext, spec: LearnSpec) -> Material:
    """What `train` and `optimize` begin with."""
    if spec.dataset_id is None:
        raise InvalidInput("a training job needs a data set")
    _tell(context, "load", spec.dataset)
    dataset = load_dataset(resources, spec.dataset_id)
    labels = read_labels(dataset, spec)
    split = split_dataset(resources, dataset, spec.split, labels.y)
    _tell(context, "featurize", f"{len(dataset.smiles)} molecules")
    feature_set = FeatureSet(spec.features)
    features = dataset_matrix(resources, context, dataset.id, dataset.smiles, feature_set)
    if features.errors:
        context.warn("rows_without_features", f"{len(features.errors)} rows have no features")
    return Material(
        dataset=dataset,
        labels=labels,
        split=split,
        feature_set=feature_set,
        X=features.matrix,
        featureless=frozenset(features.errors),
    )


def run(resources: Resources, context: WorkContext, params: TrainParams) -> Outcome:
    started = time.monotonic()
    material = prepare(resources, context, params)
    task = material.labels.task
    algorithm = _algorithm(params, task.type)
    context.raise_if_cancelled()
    _tell(context, "fit", algorithm.name)
    fitted = _fit(resources, context, params, material, algorithm)
    context.raise_if_cancelled()
    _tell(context, "evaluate", "")
    bundle, metrics, extra = _evaluate(context, params, material, algorithm, fitted)
    _tell(context, "save", headline(task, metrics))
    model_id = new_id()
    saved = bundle.save(resources.storage, model_id, extra)
    facts = {
        "model_id": str(model_id),
        "algorithm": algorithm.name,
        "task": task.type,
        "metrics": metrics,
        "split_hash": material.split.split.hash,
        "device": bundle.manifest.facts.get("device", "cpu"),
        "seconds": round(time.monotonic() - started, 2),
    }
    context.event("metric", {"mean": metrics["mean"], "algorithm": algorithm.name})

    def commit(session: Session) -> dict[str, Any]:
        row = _record(session, context, params, material, bundle, saved, facts)
        return {"model_ref": f"{row.name}:{row.number}"}

    n = metrics["n"]
    return Outcome(
        result=facts,
        counts={"rows_total": sum(n.values()), "rows_ok": sum(n.values())},
        commit=commit,
    )


def _algorithm(params: TrainParams, task: str) -> Algorithm:
    algorithm: Algorithm = algorithms.get(params.algorithm.name).from_values(
        dict(params.algorithm.params)
    )
    if task not in algorithm.tasks:
        raise InvalidInput(
            f"{algorithm.name} does not do {task}, which the targets ask for",
            code="task_mismatch",
            remedy=f"Choose another algorithm, e.g. {_algorithms_for(task)}.",
        )
    return algorithm


def _algorithms_for(task: str) -> str:
    return ", ".join(sorted(cls.name for cls in algorithms if task in cls.tasks))


def _fit(
    resources: Resources,
    context: WorkContext,
    params: TrainParams,
    material: Material,
    algorithm: Algorithm,
) -> FittedModel:
    split = material.split.split
    validation = material.usable(split.validation)
    needs = algorithm.needs_validation and len(validation)
    return algorithm.fit(
        material.labels.task,
        material.examples(material.usable(split.train)),
        material.examples(validation) if needs else None,
        FitContext(
            seed=params.seed,
            threads=resources.settings.worker_threads,
            device=_device(resources, params),
            work=context,
            checkpoints=_checkpoints(resources, context, params, material, algorithm),
        ),
    )


def _checkpoints(
    resources: Resources,
    context: WorkContext,
    params: TrainParams,
    material: Material,
    algorithm: Algorithm,
) -> BlobCheckpoints:
    """Whichever worker has the job; the engine deletes them when it has ended."""
    versions = libraries()
    fit = {
        "request": params.model_dump(mode="json"),
        "algorithm": [algorithm.name, algorithm.version, algorithm.params.model_dump(mode="json")],
        "task": [material.labels.task.type, material.labels.task.targets],
        "classes": material.labels.task.classes,
        "dataset": material.dataset.sha256,
        "split": material.split.split.hash,
        "features": [material.feature_set.key, material.X.shape],
        # without the build: a worker with CUDA and one without may follow each other
        "libraries": [versions[name].partition("+")[0] for name in ("numpy", "torch")],
    }
    return BlobCheckpoints(
        resources.storage, job_id=context.job_id, attempt=context.attempt, fit=fit
    )


def _device(resources: Resources, params: TrainParams) -> Any:
    return params.device if params.device != "auto" else resources.settings.device


def _evaluate(
    context: WorkContext,
    params: TrainParams,
    material: Material,
    algorithm: Algorithm,
    fitted: FittedModel,
) -> tuple[ModelBundle, dict[str, Any], dict[str, bytes]]:
    """The bundle to save, its metrics, and the files beside the weights."""
    task, y, split = material.labels.task, material.labels.y, material.split.split
    rows = {
        "validation": material.usable(split.validation),
        "test": material.usable(split.test),
    }
    train = material.usable(split.train)
    bundle = ModelBundle.new(_manifest(params, material, algorithm, fitted), fitted)
    predicted = {part: bundle.predict_matrix(material.X[r]) for part, r in rows.items()}
    calibration = calibrate(task, y[rows["validation"]], predicted["validation"])
    manifest = bundle.manifest.model_copy(update={"calibration": calibration})
    bundle = ModelBundle.new(manifest, fitted)
    context.raise_if_cancelled()
    bootstrap = {"n_bootstrap": params.bootstrap, "seed": params.seed}
    test_y = y[rows["test"]]
    per_target = evaluate_targets(task, test_y, predicted["test"], **bootstrap)
    metrics: dict[str, Any] = {
        "test": per_target,
        "baseline": evaluate_baseline(task, y[train], test_y, **bootstrap),
        "validation": evaluate_targets(
            task, y[rows["validation"]], predicted["validation"], n_bootstrap=0, seed=0
        ),
        "mean": mean_over_targets(per_target),
        "n": {"train": len(train), **{part: len(r) for part, r in rows.items()}},
    }
    metrics["report"] = target_reports(task, test_y, predicted["test"])
    metrics["baseline_mean"] = mean_over_targets(metrics["baseline"])
    plot_name, plot = plot_test_rows(task, test_y, predicted["test"], metrics, calibration)
    parts = {part: (rows[part], predicted[part]) for part in rows}
    return (
        bundle,
        metrics,
        {
            "metrics.json": orjson.dumps(metrics, option=orjson.OPT_INDENT_2),
            "predictions.parquet": predictions_table(material.dataset, task, y, parts),
            plot_name: plot,
        },
    )


def _manifest(
    params: TrainParams, material: Material, algorithm: Algorithm, fitted: FittedModel
) -> BundleManifest:
    task, dataset = material.labels.task, material.dataset
    return BundleManifest(
        name=params.name or dataset.name,
        task=task.type,
        targets=task.targets,
        classes=task.classes,
        algorithm=algorithm.name,
        algorithm_version=algorithm.version,
        hyperparameters=algorithm.params.model_dump(mode="json"),
        features=params.features,
        feature_set_key=material.feature_set.key,
        dataset={"id": str(dataset.id), "ref": dataset.ref, "sha256": dataset.sha256},
        split={
            **params.split.model_dump(mode="json"),
            "hash": material.split.split.hash,
            "sizes": material.split.sizes,
        },
        seed=params.seed,
        facts=_named(fitted.describe(), material.feature_set),
    )


def _named(facts: dict[str, Any], feature_set: FeatureSet) -> dict[str, Any]:
    """Importances by column name instead of number."""
    importances = facts.get("importances")
    if not importances:
        return facts
    columns = feature_set.columns
    named = {
        target: [[columns[number], share] for number, share in ranked]
        for target, ranked in importances.items()
    }
    return facts | {"importances": named}


def _record(
    session: Session,
    context: WorkContext,
    params: TrainParams,
    material: Material,
    bundle: ModelBundle,
    saved: SavedBundle,
    facts: dict[str, Any],
) -> ModelVersionRow:
    manifest = bundle.manifest
    classes = manifest.classes or ((),) * len(manifest.targets)
    row = ModelVersionRow(
        id=UUID(facts["model_id"]),
        project_id=context.project_id,
        name=manifest.name,
        number=next_number(session, context.project_id, manifest.name),
        task=manifest.task,
        algorithm=manifest.algorithm,
        hyperparameters=manifest.hyperparameters,
        training_config=params.model_dump(mode="json"),
        targets=[
            {"name": target, "classes": list(words)} if words else {"name": target}
            for target, words in zip(manifest.targets, classes, strict=True)
        ],
        metrics=facts["metrics"],
        dataset_id=material.dataset.id,
        split_id=material.split.record(session, tested=True),
        job_id=context.job_id,
        feature_set_hash=manifest.feature_set_key,
        device=facts["device"],
        manifest_key=saved.manifest_key,
        sha256=saved.sha256,
    )
    session.add(row)
    session.flush()
    if params.alias is not None:
        set_alias(session, model=row, alias=params.alias, by=f"job:{context.job_id}")
    return row


def _tell(context: WorkContext, stage: str, message: str) -> None:
    done = _STAGES.index(stage)
    context.progress(done, len(_STAGES), unit="stage", stage=stage, message=message)
