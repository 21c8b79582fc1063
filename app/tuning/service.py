"""optimize: an Optuna study whose trials run in parallel; the best parameters train a model."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.algorithms.base import Algorithm, algorithms
from app.core.errors import InvalidInput, RetortError
from app.core.ids import new_id
from app.core.requests import PluginSpec
from app.core.work import (
    ChunkResult,
    ChunkSpec,
    ChunkWorkContext,
    FanOut,
    Outcome,
    WorkContext,
)
from app.db.studies import StudyRow
from app.metrics.base import Metric, metrics
from app.metrics.evaluate import default_metric
from app.resources import Resources
from app.training import service as training
from app.training.leaks.audit import (
    audit,
    keep_audit,
    kept_audit,
    refuse_leaks,
    warn_of_leaks,
)
from app.training.material import Material, prepare
from app.training.params import TrainParams
from app.tuning.cross_validation import cross_validate, folds
from app.tuning.params import OptimizeParams
from app.tuning.study import (
    ask,
    best_trial,
    create_study,
    finished,
    give_up_stale,
    load_study,
    make_sampler,
    place_of,
)

_MAX_CHUNKS = 200
#: of the chunks so many at a time: at least, and one of how many
_AT_ONCE = 4
_ONE_OF = 8


def plan(resources: Resources, context: WorkContext, params: OptimizeParams) -> FanOut:
    """Data, features and split are made once, before the trials; the study is created with the
    algorithm's defaults waiting as its first trial.
    """
    material = prepare(resources, context, params)
    _audit(resources, context, params, material)
    metric = _metric(params, material.labels.task.type)
    algorithm = _algorithm(params, {}, material.labels.task.type)
    study = create_study(resources.database, _name(context), metric.direction)
    study.set_user_attr("defaults", algorithm.params.model_dump(mode="json"))
    size = _chunk_size(params)
    return FanOut(
        unit="trial",
        chunks=[
            ChunkSpec(
                source={"study": _name(context)},
                start_row=start,
                stop_row=min(start + size, params.n_trials),
            )
            for start in range(0, params.n_trials, size)
        ],
    )


def _audit(
    resources: Resources, context: WorkContext, params: OptimizeParams, material: Material
) -> None:
    """Before the trials, not after them. Where a model is trained its training warns."""
    found = audit(material, None)
    refuse_leaks(found, params.leaks)
    if params.then == "none":
        warn_of_leaks(found, context)
    keep_audit(resources.storage, context.job_id, context.plan_attempt, found)


def run_chunk(
    resources: Resources, context: ChunkWorkContext, params: OptimizeParams, chunk: ChunkSpec
) -> dict[str, Any]:
    """Ask, cross-validate, tell, for each trial of the chunk. Run twice, none counts twice."""
    known = _known_before(params, chunk)
    context.wait_until_ended(known)
    material = _material(resources, context, params)
    study = load_study(resources.database, chunk.source["study"])
    for place in range(chunk.start_row, chunk.stop_row):
        context.raise_if_cancelled()
        give_up_stale(study, place)
        trials = {place_of(trial): trial for trial in finished(study)}
        if place not in trials:
            past = [
                trial for at, trial in trials.items() if at < known or chunk.start_row <= at < place
            ]
            _trial(resources, context, params, material, study, place, past)
    return {"trials": list(range(chunk.start_row, chunk.stop_row))}


def _chunk_size(params: OptimizeParams) -> int:
    return -(-params.n_trials // _MAX_CHUNKS)


def _known_before(params: OptimizeParams, chunk: ChunkSpec) -> int:
    """The chunk's trials are drawn from those before this place, and from the chunk's own: as many
    whatever the number of workers and however long each trial takes.
    """
    if params.sampler == "random":
        return 0
    size = _chunk_size(params)
    chunks = -(-params.n_trials // size)
    at_once = params.at_once or max(_AT_ONCE, chunks // _ONE_OF)
    return max(0, chunk.start_row // size - at_once + 1) * size


def finalize(
    resources: Resources,
    context: WorkContext,
    params: OptimizeParams,
    results: Sequence[ChunkResult],
) -> Outcome:
    study = load_study(resources.database, _name(context))
    best = best_trial(study)
    lost = [result.reason for result in results if result.state == "failed"]
    for reason in lost:
        context.warn("trial_failed", reason)
    best_params = best.user_attrs["params"]
    trained = _train(resources, context, params, best_params) if params.then == "train" else None
    metric = _metric(params, best.user_attrs["task"])
    facts = {
        "study_id": str(new_id()),
        "best_params": best_params,
        "best_value": best.value,
        "best_trial": place_of(best),
        "default_value": _default_value(study),
        "metric": metric.name,
        "direction": metric.direction,
        "n_trials": len(finished(study)),
        **kept_audit(resources.storage, context.job_id, context.plan_attempt),
        **(trained.result if trained is not None else {}),
    }

    def commit(session: Session) -> dict[str, Any]:
        added = trained.commit(session) if trained is not None and trained.commit else None
        session.add(_row(context, params, facts))
        return added or {}

    return Outcome(
        result=facts,
        counts={
            "trials_total": params.n_trials,
            "trials_ok": facts["n_trials"],
            "trials_failed": params.n_trials - facts["n_trials"],
        },
        commit=commit,
    )


# ---- trials


def _trial(
    resources: Resources,
    context: WorkContext,
    params: OptimizeParams,
    material: Material,
    study: Any,
    place: int,
    past: Sequence[Any],
) -> None:
    """The first place of the study tries the defaults."""
    task = material.labels.task
    cls = algorithms.get(params.algorithm)
    suggest = cls.suggest_seed if params.space == "seed" else cls.suggest
    sampler = make_sampler(params.sampler, params.seed + place)
    trial, drawn = ask(
        study, place, lambda trial: suggest(trial, task) if place else {}, sampler, past
    )
    algorithm = _algorithm(params, drawn, task.type)
    trial.set_user_attr("task", task.type)
    trial.set_user_attr("params", algorithm.params.model_dump(mode="json"))
    metric = _metric(params, task.type)
    try:
        value = cross_validate(
            material,
            algorithm,
            metric,
            folds(material, params.folds, params.seed),
            seed=params.seed,
            threads=resources.settings.worker_threads,
            device=params.device if params.device != "auto" else resources.settings.device,
            work=context,
        )
    except RetortError:
        _tell_failed(study, trial)
        raise
    if not np.isfinite(value):
        _tell_failed(study, trial)
        raise InvalidInput(
            f"trial {place}: {metric.name} is defined on no fold", code="metric_undefined"
        )
    study.tell(trial, value)
    context.event("metric", {"trial": place, "value": value, "metric": metric.name})


def _tell_failed(study: Any, trial: Any) -> None:
    from optuna.trial import TrialState

    study.tell(trial, state=TrialState.FAIL)


#: of the job whose trials this process ran last
_MATERIAL: dict[tuple[str, int], Material] = {}


def _material(resources: Resources, context: WorkContext, params: OptimizeParams) -> Material:
    """The same data for all trials that this process runs for the job."""
    key = (str(context.job_id), context.attempt)
    material: Material = _MATERIAL.get(key) or prepare(resources, context, params)
    _MATERIAL.clear()
    _MATERIAL[key] = material
    return material


# ---- finalize


def _train(
    resources: Resources,
    context: WorkContext,
    params: OptimizeParams,
    best_params: dict[str, Any],
) -> Outcome:
    shared = params.model_dump(
        exclude={"algorithm", "n_trials", "folds", "metric", "sampler", "at_once", "space", "then"}
    )
    algorithm = PluginSpec(name=params.algorithm, params=best_params)
    return training.run(resources, context, TrainParams(**shared, algorithm=algorithm))


def _default_value(study: Any) -> float | None:
    """Of the untuned parameters; None when none with them has ended well."""
    defaults = study.user_attrs["defaults"]
    values = [t.value for t in finished(study) if t.user_attrs["params"] == defaults]
    return values[0] if values else None


def _row(context: WorkContext, params: OptimizeParams, facts: dict[str, Any]) -> StudyRow:
    model_id = facts.get("model_id")
    return StudyRow(
        id=UUID(facts["study_id"]),
        project_id=context.project_id,
        job_id=context.job_id,
        optuna_study_name=_name(context),
        algorithm=params.algorithm,
        metric=facts["metric"],
        direction=facts["direction"],
        n_trials=facts["n_trials"],
        best={
            "value": facts["best_value"],
            "params": facts["best_params"],
            "trial": facts["best_trial"],
            "default_value": facts["default_value"],
        },
        model_id=None if model_id is None else UUID(model_id),
    )


def _name(context: WorkContext) -> str:
    return f"job-{context.job_id}"


def _metric(params: OptimizeParams, task: str) -> Metric:
    metric = metrics.get(params.metric or default_metric(task))()
    if task not in metric.tasks:
        raise InvalidInput(
            f"{metric.name} does not measure {task}",
            code="task_mismatch",
            remedy=f"Use one of: {', '.join(m.name for m in metrics if task in m.tasks)}.",
        )
    return metric


def _algorithm(params: OptimizeParams, values: dict[str, Any], task: str) -> Algorithm:
    cls = algorithms.get(params.algorithm)
    if task not in cls.tasks:
        raise InvalidInput(
            f"{cls.name} does not do {task}, which the targets ask for", code="task_mismatch"
        )
    algorithm: Algorithm = cls.from_values(values)
    return algorithm
