"""evaluate: a model measured on labelled rows, the figures kept beside it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.algorithms.base import Predictions
from app.core.errors import InvalidInput, NotFound
from app.core.ids import new_id
from app.core.work import Outcome, WorkContext
from app.datasets.conversion import factor_between
from app.datasets.records import Dataset, load_dataset
from app.db.datasets import SplitRow
from app.db.evaluations import EvaluationRow
from app.db.models import ModelVersionRow
from app.evaluation.importance import feature_importance
from app.evaluation.inputs import Inputs, dataset_inputs
from app.evaluation.labels import NO_LABEL, KnownLabels, known_labels, unit_of_column
from app.evaluation.latency import one_row_latency
from app.evaluation.params import EvaluateParams
from app.models.bundle import ModelBundle
from app.registry.evaluated_rows import rows_as_bytes
from app.resources import Resources
from app.splitters.base import Indices, Split
from app.storage import keys
from app.training.assessing import assessment_figures
from app.training.evaluating import evaluate_baseline, evaluate_targets
from app.training.examples import Labels
from app.training.noise import noise_ceiling
from app.training.reports import target_reports
from app.training.splitting import read_split
from app.uncertainty.references import ReferenceRows

_STAGES = ("load", "featurize", "predict", "evaluate")
#: rows per prediction: how late a cancel is noticed
_STEP = 2_000
_SHOWN_ROWS = 100


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a model was trained on here."""

    dataset: Dataset
    labels: KnownLabels
    split: Split

    def y(self, parts: Sequence[str]) -> NDArray[np.float64]:
        rows = {"train": self.split.train, "validation": self.split.validation}
        y: NDArray[np.float64] = self.labels.y[np.concatenate([rows[part] for part in parts])]
        return y


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The model with the data that it is measured on, and the data that made it."""

    model: ModelVersionRow
    bundle: ModelBundle
    dataset: Dataset
    labels: KnownLabels
    #: the model's own data set, labels and split; None of a model that was imported
    training: Training | None

    @property
    def on_own_data(self) -> bool:
        return self.training is not None and self.training.dataset.id == self.dataset.id

    def learned_y(self) -> NDArray[np.float64]:
        """(r, targets) of the rows that it was fitted on: what a baseline knows."""
        if self.training is not None:
            return self.training.y(self.bundle.manifest.learned)
        return _remembered(self.bundle).y


def run(resources: Resources, context: WorkContext, params: EvaluateParams) -> Outcome:
    _tell(context, "load", params.model)
    subject, split_id = _load(resources, params)
    part = params.part or ("test" if subject.on_own_data else "all")
    rows = _rows(subject, part)
    _tell(context, "featurize", subject.dataset.ref)
    inputs = dataset_inputs(resources, context, subject.bundle, subject.dataset)
    refused = {int(r): why for r in rows if (why := subject.labels.refused.get(int(r)))}
    errors = inputs.errors
    refused |= {int(r): errors[int(r)] for r in rows if int(r) in errors and int(r) not in refused}
    used = np.asarray([row for row in rows if int(row) not in refused], dtype=np.int64)
    if not len(used):
        raise InvalidInput(f"none of the {len(rows)} rows has both a label and features")
    seen = _warn_of_seen_rows(context, subject, used)
    _tell(context, "predict", f"{len(used)} rows")
    predictions = _predict(context, subject.bundle, inputs.X, used)
    _tell(context, "evaluate", "")
    facts = _figures(context, params, subject, inputs, used, predictions)
    facts["latency_ms"] = one_row_latency(subject.bundle, subject.dataset, used)
    evaluation_id = new_id()
    stored = rows_as_bytes(
        subject.bundle.manifest.learning_task, used, subject.labels.y[used], predictions
    )
    rows_key = keys.evaluation(evaluation_id, "rows.parquet")
    resources.storage.write(rows_key, stored)
    facts |= {
        "evaluation_id": str(evaluation_id),
        "model_id": str(subject.model.id),
        "model_ref": f"{subject.model.name}:{subject.model.number}",
        "dataset_id": str(subject.dataset.id),
        "dataset": subject.dataset.ref,
        "part": part,
        "task": subject.model.task,
        "rows": _account(subject, rows, used, refused, seen),
    }

    def commit(session: Session) -> None:
        _record(session, context, facts, rows_key, sha256(stored).hexdigest())
        if part == "test":
            # each look at the test rows is counted, whoever looks (F-13)
            uses = SplitRow.test_uses + 1
            session.execute(update(SplitRow).where(SplitRow.id == split_id).values(test_uses=uses))

    counts = {"rows_total": len(rows), "rows_ok": len(used), "rows_failed": len(refused)}
    return Outcome(result=facts, counts=counts, commit=commit)


def _load(resources: Resources, params: EvaluateParams) -> tuple[Subject, UUID | None]:
    with resources.database.session() as session:
        model = session.get(ModelVersionRow, params.model_id)
        split = session.get(SplitRow, model.split_id) if model and model.split_id else None
    if model is None:
        raise NotFound(f"there is no model {params.model_id}")
    bundle = ModelBundle.load(resources.storage, model.manifest_key, expected_sha256=model.sha256)
    training = _training(resources, model, bundle, split)
    own = None if training is None else training.dataset
    if own is not None and params.dataset_id in (None, own.id):
        dataset = own
    elif params.dataset_id is not None:
        dataset = load_dataset(resources, params.dataset_id)
    else:
        raise InvalidInput(
            f"the model {model.name}:{model.number} was imported, so it has no data set here",
            remedy="Name a data set with measured values as `dataset`.",
        )
    subject = Subject(
        model=model,
        bundle=bundle,
        dataset=dataset,
        labels=known_labels(
            dataset, bundle.manifest.learning_task, bundle.manifest.units, params.targets
        ),
        training=training,
    )
    return subject, None if split is None else split.id


def _training(
    resources: Resources, model: ModelVersionRow, bundle: ModelBundle, split: SplitRow | None
) -> Training | None:
    """None of a model that was imported."""
    if model.dataset_id is None:
        return None
    if split is None:
        raise InvalidInput(f"the model {model.name}:{model.number} has no stored split")
    dataset = load_dataset(resources, model.dataset_id)
    return Training(
        dataset=dataset,
        labels=known_labels(dataset, bundle.manifest.learning_task, bundle.manifest.units),
        split=read_split(resources.storage.read(split.storage_key)),
    )


def _rows(subject: Subject, part: str) -> Indices:
    if part == "all":
        return np.arange(subject.dataset.table.num_rows)
    if subject.training is None or not subject.on_own_data:
        raise InvalidInput(
            f"{subject.dataset.ref} is not the data set whose split made this model",
            remedy='Set "part": "all" for another data set.',
        )
    return subject.training.split.test


def _warn_of_seen_rows(context: WorkContext, subject: Subject, used: Indices) -> int:
    """How many of the rows the model was fitted or calibrated on; said plainly when some were."""
    seen = _seen_rows(subject, used)
    if seen:
        context.warn(
            "training_rows_evaluated",
            f"{seen} of the {len(used)} rows are among those that the model learned from: these "
            "figures flatter it. Its test rows say more.",
        )
    return seen


def _seen_rows(subject: Subject, used: Indices) -> int:
    if subject.training is None:
        # a bundle remembers molecules, of a table's rows only what was made of them
        known = set(_remembered(subject.bundle).smiles)
        return sum(subject.dataset.smiles[row] in known for row in used) if known else 0
    split = subject.training.split
    learned = np.concatenate([split.train, split.validation])
    if subject.on_own_data:
        return len(np.intersect1d(used, learned))
    own = _identities(subject, subject.training.dataset)
    other = _identities(subject, subject.dataset)
    seen = {own[row] for row in learned}
    return sum(other[row] in seen for row in used)


def _remembered(bundle: ModelBundle) -> ReferenceRows:
    """The training rows that a model holds. Raises InvalidInput for one of an early version."""
    if bundle.assessor is None:
        raise InvalidInput("the model remembers no training row to compare with")
    return bundle.assessor.references


def _identities(subject: Subject, dataset: Dataset) -> list[Any]:
    """What makes two rows the same to the model: the molecule, and every value it looks at."""
    names = [column["name"] for column in subject.bundle.manifest.columns]
    seen = [dataset.smiles] if subject.bundle.needs_structures else []
    return list(zip(*seen, *(dataset.values(name) for name in names), strict=True))


def _predict(
    context: WorkContext, bundle: ModelBundle, X: NDArray[Any], rows: Indices
) -> Predictions:
    parts = []
    for start in range(0, len(rows), _STEP):
        context.raise_if_cancelled()
        context.progress(start, len(rows), unit="row", stage="predict")
        parts.append(bundle.predict_matrix(X[rows[start : start + _STEP]]))
    return Predictions.joined(parts)


def _figures(
    context: WorkContext,
    params: EvaluateParams,
    subject: Subject,
    inputs: Inputs,
    used: Indices,
    predictions: Predictions,
) -> dict[str, Any]:
    task, y = subject.bundle.manifest.learning_task, subject.labels.y[used]
    X, bundle = inputs.X[used], subject.bundle
    options = {"n_bootstrap": params.bootstrap, "seed": params.seed}
    metrics = evaluate_targets(task, y, predictions, **options)
    context.raise_if_cancelled()
    baseline = evaluate_baseline(task, subject.learned_y(), y, **options)
    context.raise_if_cancelled()
    assessment = bundle.assess(X, inputs.keys[used], predictions)
    trust: dict[str, Any] = {"uncertainty": {}, "domain": {}}
    if bundle.assessor is not None and assessment is not None:
        trust = assessment_figures(bundle.assessor, y, predictions, assessment)
    importance = feature_importance(bundle, X, y, context, seed=params.seed)
    return {
        **trust,
        "metrics": metrics.per_target,
        "baseline": baseline.per_target,
        "mean": metrics.mean(bundle.manifest.units),
        "baseline_mean": baseline.mean(bundle.manifest.units),
        "noise_ceiling": _noise_ceiling(subject, used, params.seed),
        "targets": target_reports(task, y, predictions),
        "feature_importance": importance,
    }


def _noise_ceiling(subject: Subject, used: Indices, seed: int) -> dict[str, Any]:
    """Of the data set that it is measured on, in the model's units."""
    manifest, dataset = subject.bundle.manifest, subject.dataset
    task, targets = manifest.learning_task, subject.labels.targets
    factors = {
        target: factor_between(unit_of_column(dataset, target), manifest.units.get(target))
        for target in targets
        if not task.is_classification
    }
    labels = Labels(task=task, y=subject.labels.y)
    return noise_ceiling(dataset, labels, used, seed=seed, targets=targets, factors=factors)


def _account(
    subject: Subject, rows: Indices, used: Indices, refused: dict[int, str], seen: int
) -> dict[str, Any]:
    numbers = subject.dataset.rows
    reasons = Counter(why if why == NO_LABEL else why.split(":")[0] for why in refused.values())
    return {
        "total": len(rows),
        "evaluated": len(used),
        "refused": len(refused),
        "reasons": dict(reasons.most_common(20)),
        "first_refused": [
            {"row": numbers[row], "reason": why} for row, why in list(refused.items())[:_SHOWN_ROWS]
        ],
        "seen_in_training": seen,
    }


def _record(
    session: Session, context: WorkContext, facts: dict[str, Any], rows_key: str, rows_sha256: str
) -> None:
    kept = (
        "baseline",
        "mean",
        "baseline_mean",
        "noise_ceiling",
        "targets",
        "feature_importance",
        "uncertainty",
        "domain",
        "rows",
        "latency_ms",
    )
    session.add(
        EvaluationRow(
            id=UUID(facts["evaluation_id"]),
            project_id=context.project_id,
            model_id=UUID(facts["model_id"]),
            dataset_id=UUID(facts["dataset_id"]),
            job_id=context.job_id,
            part=facts["part"],
            metrics=facts["metrics"],
            details={name: facts[name] for name in kept},
            rows_key=rows_key,
            rows_sha256=rows_sha256,
        )
    )


def _tell(context: WorkContext, stage: str, message: str) -> None:
    done = _STAGES.index(stage)
    context.progress(done, len(_STAGES), unit="stage", stage=stage, message=message)
