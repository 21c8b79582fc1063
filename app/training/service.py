"""train: one algorithm on one split of one data set becomes a model version."""

import time
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from app.algorithms.base import Algorithm, algorithms
from app.core.errors import InvalidInput
from app.core.ids import new_id
from app.core.work import Outcome, WorkContext
from app.db.jobs import JobRow
from app.db.models import ModelVersionRow
from app.models.bundle import ModelBundle, SavedBundle
from app.models.pointers import announce_after
from app.models.records import next_number
from app.models.warming import warm_after
from app.registry.training import point_after_training
from app.reporting.service import reports_of_training
from app.reporting.stored import StoredModel
from app.reporting.verdict import unlearned
from app.reporting.wording import listed, said, with_interval
from app.resources import Resources
from app.splitters.base import Indices
from app.training.accounting import row_accounting
from app.training.assessing import assessment_figures
from app.training.evaluating import evaluate_baseline, evaluate_targets, headline
from app.training.importance import measured_importance
from app.training.learning import Learned, learn
from app.training.material import Material, prepare, tell
from app.training.noise import noise_ceiling
from app.training.params import TrainParams
from app.training.plots import plot_test_rows
from app.training.reports import target_reports
from app.training.tables import Part, predictions_table

#: of the held-out rows, at most: they are eight times as many as the test rows
_HELD_RESAMPLES = 200


def run(resources: Resources, context: WorkContext, params: TrainParams) -> Outcome:
    started = time.monotonic()
    material = prepare(resources, context, params)
    task = material.labels.task
    algorithm = _algorithm(params, task.type)
    made = learn(resources, context, params, material, algorithm)
    context.raise_if_cancelled()
    tell(context, "evaluate", "")
    bundle, metrics, extra = _evaluate(context, params, made, algorithm)
    _warn_of_nothing_learned(context, bundle, metrics)
    tell(context, "save", headline(task, metrics))
    extra |= reports_of_training(bundle.manifest, metrics, extra["predictions.parquet"])
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
        if made.folds is not None:
            made.folds.record(session)
        told: dict[str, Any] = {"model_ref": f"{row.name}:{row.number}"}
        if params.alias is not None:
            warm = partial(warm_after, session, resources.publisher)  # nobody can load it before
            by = f"job:{context.job_id}"
            told["alias"] = point_after_training(session, row, params.alias, by=by, warm=warm)
        announce_after(session, resources.cache)  # the last to be told
        return told

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


def _evaluate(
    context: WorkContext, params: TrainParams, made: Learned, algorithm: Algorithm
) -> tuple[ModelBundle, dict[str, Any], dict[str, bytes]]:
    """The bundle, its metrics, and the files beside the weights."""
    material, bundle, assessor = made.material, made.bundle, made.bundle.assessor
    task, y = material.labels.task, material.labels.y
    test = material.usable(material.split.split.test)
    X = material.matrix(bundle.features, test)
    predicted = bundle.predict_matrix(X)
    assessment = bundle.assess(X, made.near.keys(X, test), predicted)
    context.raise_if_cancelled()
    bootstrap = {"n_bootstrap": params.bootstrap, "seed": params.seed}
    used = _used(material)
    tested = evaluate_targets(task, y[test], predicted, **bootstrap)
    baseline = evaluate_baseline(task, y[made.rows], y[test], **bootstrap)
    metrics: dict[str, Any] = {
        "test": tested.per_target,
        "baseline": baseline.per_target,
        "mean": tested.mean(bundle.manifest.units),
        "baseline_mean": baseline.mean(bundle.manifest.units),
        "n": {part: len(rows) for part, rows in used.items()},
        "rows": row_accounting(material, used),
        "report": target_reports(task, y[test], predicted),
        **made.audit,
        "folds": None if made.folds is None else {"hash": made.folds.hash, **made.folds.sizes},
    }
    metrics["noise_ceiling"] = noise_ceiling(
        material.dataset, material.labels, test, seed=params.seed
    )
    parts = {"test": Part(rows=test, predictions=predicted, assessment=assessment)}
    if made.held is not None and assessor is not None:
        held, calibrated = made.held.held, assessor.calibrated(made.held.held.predictions)
        fewer = bootstrap | {"n_bootstrap": min(params.bootstrap, _HELD_RESAMPLES)}
        metrics[made.held.name] = evaluate_targets(
            task, y[held.rows], calibrated, **fewer
        ).per_target
        parts[made.held.name] = Part(
            rows=held.rows, predictions=calibrated, assessment=made.held.assessment
        )
    if assessment is not None and assessor is not None:
        metrics |= assessment_figures(assessor, y[test], predicted, assessment)
    importance = measured_importance(
        bundle,
        X,
        y[test],
        context,
        learned=len(made.rows),
        compares_rows=algorithm.compares_rows,
        seed=params.seed,
    )
    if importance is not None:
        metrics["importance"] = importance
    plot_name, plot = plot_test_rows(task, y[test], predicted, metrics, assessment)
    files = {
        "metrics.json": orjson.dumps(metrics, option=orjson.OPT_INDENT_2),
        "predictions.parquet": predictions_table(material.dataset, task, y, parts),
        plot_name: plot,
    }
    return bundle, metrics, files


def _warn_of_nothing_learned(
    context: WorkContext, bundle: ModelBundle, metrics: dict[str, Any]
) -> None:
    """By the rule of the report's grade, of each target by itself."""
    stored = StoredModel(
        manifest=bundle.manifest.model_dump(mode="json"), metrics=metrics, predictions=None
    )
    told = [
        f"{target} ({verdict.metric} {with_interval(verdict.figure)} against"
        f" {said(verdict.baseline.get('value'))})"
        for target, verdict in unlearned(stored).items()
    ]
    if told:
        known = "most frequent class" if stored.is_classification else "mean"
        context.warn(
            "no_better_than_baseline",
            f"on the test rows not shown to be better than always answering the {known}:"
            f" {listed(told)}",
        )


def _used(material: Material) -> dict[str, Indices]:
    """Rows of each part that have features."""
    split = material.split.split
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    return {part: material.usable(rows) for part, rows in parts.items()}


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
        created_by=_asked_by(session, context),
        feature_set_hash=manifest.feature_set_key,
        device=facts["device"],
        manifest_key=saved.manifest_key,
        sha256=saved.sha256,
    )
    session.add(row)
    session.flush()
    return row


def _asked_by(session: Session, context: WorkContext) -> str:
    """Who submitted the job (in tests there may be none)."""
    job = session.get(JobRow, context.job_id) if context.job_id is not None else None
    return "system" if job is None else job.created_by
