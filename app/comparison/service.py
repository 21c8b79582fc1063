"""compare: candidates on the same folds of repeated cross-validation; which differences are real.

A plan that cuts the folds, chunks of fits, and a last step that compares. No test rows are set
aside and none are used: all labelled rows take part, so the scores choose and do not judge.
"""

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy.orm import Session

from app.algorithms.base import Algorithm, FitContext, algorithms
from app.comparison import folds as fold_store
from app.comparison.answers import Answer, gathered, told
from app.comparison.artifacts import write_artifacts
from app.comparison.fits import Fit, fits_of, rows_of
from app.comparison.leaks import SeenColumns, audited_folds
from app.comparison.params import Candidate, CompareParams, names_of
from app.comparison.result import Comparison, compared
from app.comparison.scoring import score_fit
from app.core.errors import InvalidInput
from app.core.work import ChunkResult, ChunkSpec, FanOut, Outcome, WorkContext
from app.datasets.records import load_dataset
from app.metrics.base import Metric, metrics
from app.resources import Resources
from app.storage import keys
from app.training.examples import read_labels
from app.training.folds import store_folds
from app.training.leaks.audit import keep_audit, kept_audit, refuse_leaks, warn_of_leaks
from app.training.material import LabelledRows, prepare_rows
from app.training.scoring import Scorer

_MAX_CHUNKS = 200
_DEFAULT_METRICS = {
    "regression": ("rmse", "spearman"),
    "binary": ("roc_auc", "average_precision"),
    "multiclass": ("balanced_accuracy", "matthews_corrcoef"),
}


def plan(resources: Resources, context: WorkContext, params: CompareParams) -> FanOut:
    """Features of every candidate are made once, before the fits; rows that one of them has no
    features of take part for none. Leaks are looked for once, over all that is compared.
    """
    featureless: frozenset[int] = frozenset()
    seen = SeenColumns()
    for candidate in params.candidates:
        context.raise_if_cancelled()
        material = prepare_rows(resources, context, params.learning(candidate))
        _algorithm(candidate, material.labels.task.type)
        _metrics(params, material.labels.task.type)
        featureless |= material.featureless
        seen.add(material)
    folds = fold_store.cut(params, material, featureless)
    context.raise_if_cancelled()
    found = audited_folds(material, seen, params.split, folds)
    refuse_leaks(found, params.leaks)
    warn_of_leaks(found, context)
    keep_audit(resources.storage, context.job_id, context.plan_attempt, found)
    fold_store.store(resources.storage, context.job_id, context.plan_attempt, folds)
    total = len(fits_of(params, [len(repeat) for repeat in folds]))
    size = -(-total // _MAX_CHUNKS)
    return FanOut(
        unit="trial",
        chunks=[
            ChunkSpec(source={}, start_row=start, stop_row=min(start + size, total))
            for start in range(0, total, size)
        ],
    )


def run_chunk(
    resources: Resources, context: WorkContext, params: CompareParams, chunk: ChunkSpec
) -> dict[str, Any]:
    """The chunk's fits, one after the other. One that cannot be learned says why."""
    folds = fold_store.stored(resources.storage, context.job_id, context.plan_attempt)
    fits = fits_of(params, [len(repeat) for repeat in folds])
    answers = []
    for fit in fits[chunk.start_row : chunk.stop_row]:
        context.raise_if_cancelled()
        answers.append(_answer(resources, context, params, folds, fit))
    name = f"scores/{chunk.start_row}-{uuid4().hex[:8]}.json"
    key = keys.work(context.job_id, context.attempt, name)
    resources.storage.write(key, orjson.dumps([told(answer) for answer in answers]))
    return {"key": key, "fits": len(answers)}


def finalize(
    resources: Resources,
    context: WorkContext,
    params: CompareParams,
    results: Sequence[ChunkResult],
) -> Outcome:
    folds = fold_store.stored(resources.storage, context.job_id, context.plan_attempt)
    fits = fits_of(params, [len(repeat) for repeat in folds])
    answers = gathered(resources.storage, fits, results)
    dataset = load_dataset(resources, _dataset_id(params))
    labels = read_labels(dataset, params.learning(params.candidates[0]))
    comparison = Comparison(
        params=params,
        dataset=dataset,
        labels=labels,
        folds=folds,
        scorer=Scorer(task=labels.task, metrics=_metrics(params, labels.task.type)),
        answers=answers,
        audit=kept_audit(resources.storage, context.job_id, context.plan_attempt),
    )
    found = compared(comparison)
    cited = store_folds(resources.storage, dataset, params.split, folds)
    found["folds_hash"] = cited.hash
    for finding in found["findings"]:
        context.warn(finding["code"], finding["detail"])
    files = write_artifacts(resources.storage, context, comparison, found)
    scored = sum(answer.scores is not None for answer in answers)

    def commit(session: Session) -> dict[str, Any]:
        session.add_all(files)
        return {"folds_id": str(cited.record(session))}

    return Outcome(
        result=_result(found, params, answers),
        counts={
            "trials_total": len(fits),
            "trials_ok": scored,
            "trials_failed": len(fits) - scored,
        },
        commit=commit,
    )


# ---- one fit


def _answer(
    resources: Resources,
    context: WorkContext,
    params: CompareParams,
    folds: fold_store.Folds,
    fit: Fit,
) -> Answer:
    candidate = params.candidates[fit.candidate]
    material = _material(resources, context, params, candidate)
    task = material.labels.task
    algorithm = _algorithm(candidate, task.type)
    rows = rows_of(
        fit,
        folds[fit.repeat][fit.fold],
        params.seed,
        needs_validation=algorithm.needs_validation,
    )
    started = time.monotonic()
    device: Any = params.device if params.device != "auto" else resources.settings.device
    fit_context = FitContext(
        seed=params.seed + fit.repeat,
        threads=resources.settings.worker_threads,
        device=device,
        work=context,
    )
    scorer = Scorer(task=task, metrics=_metrics(params, task.type))
    try:
        scores = score_fit(material, algorithm, scorer, rows, fit_context)
    except InvalidInput as error:
        return Answer(fit=fit, reason=error.detail, n_train=len(rows.train))
    seconds = round(time.monotonic() - started, 3)
    return Answer(fit=fit, scores=scores, n_train=len(rows.train), seconds=seconds)


#: of the job and features that this process worked on last
_MATERIAL: dict[tuple[str, int, str], LabelledRows] = {}


def _material(
    resources: Resources, context: WorkContext, params: CompareParams, candidate: Candidate
) -> LabelledRows:
    """The same data for all fits that this process does in a row for candidates of a kind."""
    spec = params.learning(candidate)
    key = (str(context.job_id), context.attempt, spec.model_dump_json(include={"features"}))
    material = _MATERIAL.get(key) or prepare_rows(resources, context, spec)
    _MATERIAL.clear()
    _MATERIAL[key] = material
    return material


def _algorithm(candidate: Candidate, task: str) -> Algorithm:
    spec = candidate.algorithm
    algorithm: Algorithm = algorithms.get(spec.name).from_values(dict(spec.params))
    if task not in algorithm.tasks:
        raise InvalidInput(
            f"{algorithm.name} does not do {task}, which the targets ask for", code="task_mismatch"
        )
    return algorithm


def _metrics(params: CompareParams, task: str) -> list[Metric]:
    chosen = [metrics.get(name)() for name in params.metrics or _DEFAULT_METRICS[task]]
    for metric in chosen:
        if task not in metric.tasks:
            raise InvalidInput(
                f"{metric.name} does not measure {task}",
                code="task_mismatch",
                remedy=f"Use one of: {', '.join(m.name for m in metrics if task in m.tasks)}.",
            )
    return chosen


def _dataset_id(params: CompareParams) -> Any:
    if params.dataset_id is None:
        raise InvalidInput("a comparison needs a data set")
    return params.dataset_id


def _result(
    found: dict[str, Any], params: CompareParams, answers: Sequence[Answer]
) -> dict[str, Any]:
    """What stands in the job: comparison.json without the scores of single folds and permutations,
    and what a fit took (seconds), which is not the same twice.
    """
    small = orjson.loads(orjson.dumps(found))
    for metric in small["metrics"].values():
        metric["baseline"].pop("scores")
        for one in metric["candidates"]:
            one.pop("scores")
    for one in small["y_scrambling"].values():
        one.pop("scrambled")
    small["fit_seconds"] = {
        name: _mean_seconds(answers, number)
        for number, name in enumerate(names_of(params.candidates))
    }
    result: dict[str, Any] = small
    return result


def _mean_seconds(answers: Sequence[Answer], candidate: int) -> float | None:
    known = [
        answer.seconds
        for answer in answers
        if answer.fit.candidate == candidate
        and answer.scores is not None
        and answer.fit.permutation is None
        and answer.fit.fraction is None
    ]
    return round(sum(known) / len(known), 3) if known else None
