"""The gate of an alias: a table of checks, each with what was found. What is missing fails (F-14).

A candidate stands against who bears the alias now: on the same rows of one data set, by one metric,
with a paired interval. The first that ever bears it must only beat the trivial baseline. All of it
is read from stored evaluations; nothing is fitted or predicted here.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import RetortError
from app.db.datasets import DatasetRow
from app.db.evaluations import EvaluationRow
from app.db.jobs import JobRow
from app.db.models import ModelVersionRow
from app.metrics.across_targets import mean_of_defined, needs_scales, relative, usable_scales
from app.metrics.base import Metric, metrics
from app.metrics.evaluate import default_metric
from app.registry.evaluated_rows import EvaluatedRows, read_rows
from app.registry.paired import improvement
from app.resources import Resources

#: fewer rows than these say nothing
MIN_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class Check:
    check: str
    passed: bool
    #: a sentence: what was found
    detail: str
    #: figures behind it
    facts: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        found = {"check": self.check, "passed": self.passed, "detail": self.detail}
        return found if self.facts is None else found | {"facts": self.facts}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One of the two versions, with the evaluation that speaks for it."""

    model: ModelVersionRow
    evaluation: EvaluationRow | None

    @property
    def ref(self) -> str:
        return f"{self.model.name}:{self.model.number}"

    @property
    def details(self) -> dict[str, Any]:
        return self.evaluation.details if self.evaluation else {}

    @property
    def metrics(self) -> dict[str, Any]:
        """By target, those that were evaluated."""
        return self.evaluation.metrics if self.evaluation else {}


def check_gate(
    resources: Resources,
    *,
    candidate_id: UUID,
    holder_id: UUID | None,
    policy: dict[str, Any],
    approver: str,
    evaluation_id: UUID | None = None,
) -> dict[str, Any]:
    """{"policy", "passed", "checks", "evaluation_id", "dataset"}; `approver`: the principal who
    asks.
    """
    with resources.database.session() as session:
        model = session.get_one(ModelVersionRow, candidate_id)
        wanted = None if policy["dataset_id"] is None else UUID(policy["dataset_id"])
        evaluation = _evaluation(session, model.id, wanted, evaluation_id)
        candidate = Subject(model=model, evaluation=evaluation)
        holder = _holder(session, holder_id, wanted, candidate)
        author = _author(session, model)
        dataset = _dataset_ref(session, wanted, evaluation)
    metric: Metric = metrics.get(policy["metric"] or default_metric(model.task))()
    checks = [_four_eyes(approver, author)] if policy["four_eyes"] else []
    if holder is not None and holder.model.id == model.id:
        detail = f"{candidate.ref} bears the alias already: it is not compared with itself"
        checks.append(Check(check="another_version", passed=True, detail=detail))
    else:
        checks += _quality(resources, metric, policy, candidate, holder, dataset)
    if policy["max_latency_ms"] is not None:
        checks.append(_latency(candidate, policy["max_latency_ms"]))
    return {
        "policy": policy,
        "passed": all(check.passed for check in checks),
        "checks": [check.as_json() for check in checks],
        "evaluation_id": None if evaluation is None else str(evaluation.id),
        "dataset": dataset,
    }


def _quality(
    resources: Resources,
    metric: Metric,
    policy: dict[str, Any],
    candidate: Subject,
    holder: Subject | None,
    dataset: str,
) -> list[Check]:
    checks = [_evaluated(candidate, dataset)]
    if candidate.evaluation is not None:
        checks += [_unseen(candidate), _beats_baseline(metric, candidate)]
    if holder is None:
        return checks
    checks.append(_evaluated(holder, dataset))
    if all(check.passed for check in checks if check.check == "evaluated"):
        try:
            pair = [_rows_of(resources, one) for one in (candidate, holder)]
        except RetortError as error:
            return [*checks, Check(check="same_rows", passed=False, detail=error.detail)]
        checks += _paired(metric, policy, candidate, holder, *pair)
    return checks


def _paired(
    metric: Metric,
    policy: dict[str, Any],
    candidate: Subject,
    holder: Subject,
    ours: EvaluatedRows,
    theirs: EvaluatedRows,
) -> list[Check]:
    same = (ours.task, ours.targets, ours.classes) == (theirs.task, theirs.targets, theirs.classes)
    _, here, there = np.intersect1d(ours.rows, theirs.rows, return_indices=True)
    a, b = ours.at(here), theirs.at(there)
    if not same or len(here) < MIN_ROWS or not np.array_equal(a.y, b.y, equal_nan=True):
        why = (
            f"{candidate.ref} and {holder.ref} share {len(here)} rows with the same labels; "
            f"at least {MIN_ROWS} are needed"
            if same
            else f"{candidate.ref} and {holder.ref} do not predict the same targets and classes"
        )
        return [Check(check="same_rows", passed=False, detail=why)]
    rows = Check(
        check="same_rows", passed=True, detail=f"{len(here)} rows were predicted by both versions"
    )
    if metric.name not in _names(candidate) or metric.name not in _names(holder):
        return [rows, _no_metric(metric, candidate)]
    scales = _scales(metric, candidate, a.targets)
    found = improvement(metric, a, b, confidence=policy["confidence"], scales=scales)
    least = policy["min_delta"]
    passed = bool(np.isfinite(found.low) and found.low >= least)
    level = f"{100 * policy['confidence']:g} %"
    identical = np.array_equal(a.predicted, b.predicted)
    detail = (
        f"{_shown(metric, scales)} of {candidate.ref} {found.candidate:.4g}, of {holder.ref} "
        f"{found.holder:.4g}: better by {found.value:.4g}, {level} interval "
        f"[{found.low:.4g}, {found.high:.4g}], whose lower end must reach {least:g}"
        + ("; both predict the same for every row" if identical else "")
    )
    facts = {
        **vars(found),
        "metric": metric.name,
        "min_delta": least,
        "confidence": policy["confidence"],
        "scales": None
        if scales is None
        else _finite(dict(zip(a.targets, scales.tolist(), strict=True))),
        "rows": len(here),
        "identical_predictions": bool(identical),
        "evaluation_of_holder": str(holder.evaluation.id) if holder.evaluation else None,
    }
    return [rows, Check(check="not_worse", passed=passed, detail=detail, facts=_finite(facts))]


def _evaluated(subject: Subject, dataset: str) -> Check:
    row = subject.evaluation
    if row is None:
        detail = f"{subject.ref} has no evaluation on {dataset}"
    elif row.rows_key is None:
        detail = f"the evaluation of {subject.ref} on {dataset} kept no rows: evaluate it again"
    else:
        detail = f"{subject.ref} was evaluated on {dataset} ({row.part} rows)"
    passed = row is not None and row.rows_key is not None
    return Check(check="evaluated", passed=passed, detail=detail)


def _unseen(subject: Subject) -> Check:
    """Of the holder nothing is asked: rows that it has learned from flatter it, not the other."""
    rows = subject.details.get("rows", {})
    seen = rows.get("seen_in_training")
    detail = (
        f"{subject.ref} learned from {seen} of the {rows.get('evaluated')} rows"
        if seen is not None
        else f"it is not known which rows {subject.ref} learned from"
    )
    return Check(check="unseen_rows", passed=seen == 0, detail=detail)


def _beats_baseline(metric: Metric, subject: Subject) -> Check:
    scales = _scales(metric, subject, tuple(subject.metrics))
    value, baseline = _with_baseline(metric, subject, scales)
    if value is None or baseline is None:
        return _no_metric(metric, subject, check="beats_baseline")
    better = value > baseline if metric.direction == "maximize" else value < baseline
    detail = (
        f"{_shown(metric, scales)} of {subject.ref} {value:.4g}, of the trivial baseline"
        f" {baseline:.4g}"
    )
    return Check(check="beats_baseline", passed=better, detail=detail)


def _with_baseline(
    metric: Metric, subject: Subject, scales: NDArray[np.float64] | None
) -> tuple[float | None, float | None]:
    """Both over all targets; None where they are not known."""
    if scales is None:
        value, baseline = (
            (subject.details.get(part, {}).get(metric.name) or {}).get("value")
            for part in ("mean", "baseline_mean")
        )
        return value, baseline
    values = _of_targets(metric, subject.metrics, tuple(subject.metrics))
    mean = mean_of_defined(values / scales)
    return (mean, 1.0) if np.isfinite(mean) else (None, None)


def _scales(
    metric: Metric, subject: Subject, targets: tuple[str, ...]
) -> NDArray[np.float64] | None:
    """(targets,): the trivial baseline's error in the subject's evaluation, NaN where there is
    none; None where nothing is scaled (app/metrics/across_targets.py).
    """
    if not needs_scales(metric.name, len(subject.metrics)):
        return None
    return usable_scales(_of_targets(metric, subject.details.get("baseline", {}), targets))


def _of_targets(
    metric: Metric, figures: dict[str, Any], targets: tuple[str, ...]
) -> NDArray[np.float64]:
    values = [((figures.get(t) or {}).get(metric.name) or {}).get("value") for t in targets]
    return np.array(values, dtype=float)


def _shown(metric: Metric, scales: NDArray[np.float64] | None) -> str:
    return metric.name if scales is None else relative(metric.name)


def _latency(subject: Subject, most: float) -> Check:
    found = subject.details.get("latency_ms") or {}
    p95 = found.get("p95")
    detail = (
        f"no evaluation has measured how long {subject.ref} takes for one row"
        if p95 is None
        else f"{subject.ref} takes {p95:.3g} ms for one row (95th percentile); {most:g} are allowed"
    )
    return Check(check="latency", passed=p95 is not None and p95 <= most, detail=detail)


def _four_eyes(approver: str, author: str | None) -> Check:
    if author is None:
        detail, passed = "it is not known who made the version", False
    elif author == approver:
        detail, passed = f"{approver} made the version: somebody else must promote it", False
    else:
        detail, passed = f"made by {author}, promoted by {approver}", True
    return Check(check="four_eyes", passed=passed, detail=detail)


def _no_metric(metric: Metric, subject: Subject, check: str = "not_worse") -> Check:
    known = ", ".join(sorted(_names(subject))[:20]) or "none"
    detail = f"there is no {metric.name} of {subject.ref} on these rows; there is: {known}"
    return Check(check=check, passed=False, detail=detail)


def _names(subject: Subject) -> set[str]:
    """Metrics that have a value in the subject's evaluation."""
    told = (subject.details.get("mean", {}), *subject.metrics.values())
    return {n for part in told for n, figure in part.items() if figure.get("value") is not None}


def _finite(facts: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in facts.items()
    }


def _rows_of(resources: Resources, subject: Subject) -> EvaluatedRows:
    row = subject.evaluation
    if row is None or row.rows_key is None:
        raise ValueError(f"{subject.ref} has no stored rows")
    return read_rows(resources.storage, row.rows_key, row.rows_sha256 or "")


def _holder(
    session: Session, holder_id: UUID | None, wanted: UUID | None, candidate: Subject
) -> Subject | None:
    """With its newest evaluation on the rows of the candidate's."""
    model = None if holder_id is None else session.get(ModelVersionRow, holder_id)
    if model is None:
        return None
    if wanted is None and candidate.evaluation is not None:
        wanted = candidate.evaluation.dataset_id
    return Subject(model=model, evaluation=_evaluation(session, model.id, wanted, None))


def _evaluation(
    session: Session, model_id: UUID, dataset_id: UUID | None, evaluation_id: UUID | None
) -> EvaluationRow | None:
    """The one that is named, if it is of this model and data set; else the newest that is, one
    with rows before one without.
    """
    query = select(EvaluationRow).where(EvaluationRow.model_id == model_id)
    if dataset_id is not None:
        query = query.where(EvaluationRow.dataset_id == dataset_id)
    if evaluation_id is not None:
        query = query.where(EvaluationRow.id == evaluation_id)
    newest = query.order_by(EvaluationRow.rows_key.is_(None), EvaluationRow.id.desc())
    return session.scalar(newest.limit(1))


def _dataset_ref(session: Session, wanted: UUID | None, evaluation: EvaluationRow | None) -> str:
    found = wanted or (evaluation.dataset_id if evaluation is not None else None)
    row = None if found is None else session.get(DatasetRow, found)
    return "any data set" if row is None else f"{row.name}:{row.number}"


def _author(session: Session, model: ModelVersionRow) -> str | None:
    """Who submitted the job that made it."""
    job = session.get(JobRow, model.job_id) if model.job_id is not None else None
    author = model.created_by if job is None else job.created_by
    return None if author == "system" else author
