"""train: one algorithm on one split of one data set becomes a model version."""

import time
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from app.algorithms.base import Algorithm, FitContext, FittedModel, algorithms
from app.core.errors import InvalidInput
from app.core.ids import new_id
from app.core.work import Outcome, WorkContext
from app.db.models import ModelVersionRow
from app.features.fitted import FittedFeatures
from app.models.bundle import BundleManifest, ModelBundle, SavedBundle, libraries
from app.models.records import next_number, set_alias
from app.resources import Resources
from app.training.checkpoints import BlobCheckpoints
from app.training.evaluating import (
    calibrate,
    evaluate_baseline,
    evaluate_targets,
    headline,
    mean_over_targets,
)
from app.training.leaks.audit import audited
from app.training.material import Material, prepare, tell
from app.training.noise import noise_ceiling
from app.training.params import TrainParams
from app.training.plots import plot_test_rows
from app.training.reports import target_reports
from app.training.tables import predictions_table


def run(resources: Resources, context: WorkContext, params: TrainParams) -> Outcome:
    started = time.monotonic()
    material = prepare(resources, context, params)
    task = material.labels.task
    algorithm = _algorithm(params, task.type)
    context.raise_if_cancelled()
    tell(context, "fit", algorithm.name)
    features = material.fit_features(material.usable(material.split.split.train))
    found = audited(material, features, context, refuse=params.leaks == "refuse")
    fitted = _fit(resources, context, params, material, features, algorithm)
    context.raise_if_cancelled()
    tell(context, "evaluate", "")
    bundle, metrics, extra = _evaluate(
        context,
        params,
        material,
        ModelBundle.new(_manifest(params, material, features, algorithm, fitted), fitted),
        found,
    )
    tell(context, "save", headline(task, metrics))
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
    features: FittedFeatures,
    algorithm: Algorithm,
) -> FittedModel:
    split = material.split.split
    validation = material.usable(split.validation)
    needs = algorithm.needs_validation and len(validation)
    return algorithm.fit(
        material.labels.task,
        material.examples(features, material.usable(split.train)),
        material.examples(features, validation) if needs else None,
        FitContext(
            seed=params.seed,
            threads=resources.settings.worker_threads,
            device=_device(resources, params),
            work=context,
            checkpoints=_checkpoints(resources, context, params, material, features, algorithm),
        ),
    )


def _checkpoints(
    resources: Resources,
    context: WorkContext,
    params: TrainParams,
    material: Material,
    features: FittedFeatures,
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
        "features": [material.feature_set.key, material.dataset.size, features.columns],
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
    bundle: ModelBundle,
    found: dict[str, Any],
) -> tuple[ModelBundle, dict[str, Any], dict[str, bytes]]:
    """The bundle, calibrated; its metrics, with what was `found` before; the files beside it."""
    task, y, split = material.labels.task, material.labels.y, material.split.split
    rows = {
        "validation": material.usable(split.validation),
        "test": material.usable(split.test),
    }
    train = material.usable(split.train)
    predicted = {
        part: bundle.predict_matrix(material.matrix(bundle.features, r)) for part, r in rows.items()
    }
    calibration = calibrate(task, y[rows["validation"]], predicted["validation"])
    manifest = bundle.manifest.model_copy(update={"calibration": calibration})
    bundle = ModelBundle.new(manifest, bundle.fitted)
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
        **found,
    }
    metrics["report"] = target_reports(task, test_y, predicted["test"])
    metrics["baseline_mean"] = mean_over_targets(metrics["baseline"])
    metrics["noise_ceiling"] = noise_ceiling(
        material.dataset, material.labels, rows["test"], seed=params.seed
    )
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
    params: TrainParams,
    material: Material,
    features: FittedFeatures,
    algorithm: Algorithm,
    fitted: FittedModel,
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
        units={
            column["name"]: column["unit"]
            for column in dataset.columns
            if column["name"] in task.targets and column.get("unit")
        },
        features=material.features,
        columns=material.columns,
        column_state=features.state(),
        feature_set_key=material.feature_set.key,
        dataset={"id": str(dataset.id), "ref": dataset.ref, "sha256": dataset.sha256},
        split={
            **params.split.model_dump(mode="json"),
            "hash": material.split.split.hash,
            "sizes": material.split.sizes,
        },
        seed=params.seed,
        facts=_named(fitted.describe(), features.columns),
    )


def _named(facts: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    """Importances by column name instead of number."""
    importances = facts.get("importances")
    if not importances:
        return facts
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
            {
                "name": target,
                **({"classes": list(words)} if words else {}),
                **({"unit": manifest.units[target]} if target in manifest.units else {}),
            }
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
