"""One algorithm learns from a data set: held-out predictions, the model, and how it is assessed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.algorithms.base import Algorithm, FitContext, FittedModel
from app.core.work import WorkContext
from app.features.fitted import FittedFeatures
from app.features.matrix import dataset_fingerprints
from app.models.bundle import BundleManifest, ModelBundle, libraries
from app.resources import Resources
from app.splitters.base import Indices, Split
from app.training.checkpoints import BlobCheckpoints
from app.training.folds import StoredFolds, store_folds
from app.training.held_out import (
    CROSS,
    Neighbourhood,
    folds_of,
    method_of,
    of_validation,
    out_of_fold,
)
from app.training.leaks.audit import Audit, audit, refuse_leaks, warn_of_leaks
from app.training.material import Material, tell, warn_of_ignored_weights
from app.training.params import TrainParams
from app.uncertainty.assessor import Assessment, Assessor, HeldOut
from app.uncertainty.references import ReferenceRows


@dataclass(frozen=True, kw_only=True)
class HeldPart:
    """The rows that the calibration was learned from."""

    held: HeldOut
    assessment: Assessment
    #: out_of_fold, or validation
    name: str


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A model with what it was learned from."""

    material: Material
    bundle: ModelBundle
    near: Neighbourhood
    #: rows that the model was fitted on
    rows: Indices
    #: None where there are too few rows
    held: HeldPart | None
    #: those of the out-of-fold predictions
    folds: StoredFolds | None
    #: leaks and the similarity of test to training rows, for the metrics
    audit: Audit


def learn(
    resources: Resources,
    context: WorkContext,
    params: TrainParams,
    material: Material,
    algorithm: Algorithm,
) -> Learned:
    """With folds: each row of train and validation by a model of the others, then the model from
    all of them. Else the model from the train rows, and the validation rows by it.
    """
    method, held, folds = method_of(params, material, algorithm), None, list[Split]()
    warn_of_ignored_weights(context, material, algorithm)
    rows = material.usable(material.learned if method == CROSS else material.split.split.train)
    features = material.fit_features(rows)
    found = audit(material, features)
    refuse_leaks(found, params.leaks)
    warn_of_leaks(found, context)
    near = _neighbourhood(resources, context, material)
    fit = _fit_context(resources, context, params)
    if method == CROSS:
        folds = folds_of(context, params, material, rows)
        held = out_of_fold(context, folds, near, algorithm, fit)
    fitted = _fit(resources, context, params, material, features, algorithm, rows, fit)
    if method != CROSS:
        held = of_validation(context, near, features, fitted)
    context.raise_if_cancelled()
    X = material.matrix(features, rows)
    assessor, assessment = Assessor.fit(
        material.labels.task,
        material.labels.y,
        held,
        None if held is None else material.matrix(features, held.rows),
        _references(near, X, rows, held),
        X,
        method=method,
        decides=not algorithm.weighs_classes,
    )
    manifest = _manifest(params, material, features, algorithm, fitted, assessor)
    name = "out_of_fold" if method == CROSS else "validation"
    return Learned(
        material=material,
        bundle=ModelBundle.new(manifest, fitted, assessor),
        near=near,
        rows=rows,
        audit=found,
        folds=_stored(resources, params, material, folds) if held is not None and folds else None,
        held=None
        if held is None or assessment is None
        else HeldPart(held=held, assessment=assessment, name=name),
    )


def _stored(
    resources: Resources, params: TrainParams, material: Material, folds: Sequence[Split]
) -> StoredFolds:
    spec = params.split.model_copy(update={"seed": params.seed})
    return store_folds(resources.storage, material.dataset, spec, [folds])


def _neighbourhood(resources: Resources, context: WorkContext, material: Material) -> Neighbourhood:
    if not material.feature_set.featurizers:
        return Neighbourhood(material=material, fingerprints=None)
    dataset = material.dataset
    found = dataset_fingerprints(resources, context, dataset.id, dataset.smiles)
    return Neighbourhood(material=material, fingerprints=found)


def _references(near: Neighbourhood, X: Any, rows: Indices, held: HeldOut | None) -> ReferenceRows:
    dataset, y = near.material.dataset, near.material.labels.y
    residuals = np.full(y.shape, np.nan)
    if held is not None:
        residuals[held.rows] = y[held.rows] - held.predictions.values
    molecules = near.fingerprints is not None
    return ReferenceRows(
        numbers=np.asarray([dataset.rows[row] for row in rows], dtype=np.int64),
        smiles=[dataset.smiles[row] for row in rows] if molecules else (),
        y=y[rows],
        residuals=residuals[rows],
        keys=near.keys(X, rows),
    )


def _fit(
    resources: Resources,
    context: WorkContext,
    params: TrainParams,
    material: Material,
    features: FittedFeatures,
    algorithm: Algorithm,
    rows: Indices,
    fit: FitContext,
) -> FittedModel:
    context.raise_if_cancelled()
    tell(context, "fit", algorithm.name)
    validation = np.setdiff1d(material.usable(material.split.split.validation), rows)
    stops = algorithm.needs_validation and len(validation)
    if algorithm.needs_validation and not stops:
        context.warn("never_stopped_early", f"no row was left for {algorithm.name} to stop by")
    return algorithm.fit(
        material.labels.task,
        material.examples(features, rows),
        material.examples(features, validation) if stops else None,
        replace(
            fit,
            checkpoints=_checkpoints(resources, context, params, material, features, algorithm),
        ),
    )


def _fit_context(resources: Resources, context: WorkContext, params: TrainParams) -> FitContext:
    return FitContext(
        seed=params.seed,
        threads=resources.settings.worker_threads,
        device=_device(resources, params),
        work=context,
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


def _manifest(
    params: TrainParams,
    material: Material,
    features: FittedFeatures,
    algorithm: Algorithm,
    fitted: FittedModel,
    assessor: Assessor,
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
        calibration=assessor.calibration.summary | _folds(params, assessor),
        learned=("train", "validation") if assessor.calibration.method == CROSS else ("train",),
        dataset={"id": str(dataset.id), "ref": dataset.ref, "sha256": dataset.sha256},
        split={
            **params.split.model_dump(mode="json"),
            "hash": material.split.split.hash,
            "sizes": material.split.sizes,
        },
        seed=params.seed,
        facts=_named(fitted.describe(), features.columns),
    )


def _folds(params: TrainParams, assessor: Assessor) -> dict[str, int]:
    return {"folds": params.calibration_folds} if assessor.calibration.method == CROSS else {}


def _named(facts: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    """Importances and coefficients by column name instead of number."""
    named = {
        fact: {
            target: [[columns[number], value] for number, value in ranked]
            for target, ranked in facts[fact].items()
        }
        for fact in ("importances", "coefficients")
        if facts.get(fact)
    }
    return facts | named
