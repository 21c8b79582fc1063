"""Retraining: what is trained, and on which rows the new version meets the champion.

The jobs are a workflow like any other (app/kinds/workflow.py): train, then evaluate the new version
and the one that bears the alias on the same data set. `deciding.py` takes the last step.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.core.errors import InvalidInput, NotFound, RetortError
from app.datasets.records import resolve_dataset
from app.db.datasets import DatasetRow
from app.db.models import AliasRow, ModelVersionRow
from app.jobs.model import Job
from app.kinds.base import RESOLVED
from app.kinds.evaluate import EVALUATE
from app.kinds.from_results import MARK
from app.kinds.references import field
from app.kinds.submission import Submission, preparation
from app.kinds.submission import new_job as as_new_job
from app.kinds.table import KINDS
from app.kinds.train import TRAIN
from app.kinds.validation import parse_params
from app.kinds.workflow import Step, store_workflow
from app.metrics.base import metrics
from app.models.records import resolve_model
from app.models.reference import alias_word
from app.resources import Resources
from app.schedules.spec import RetrainSpec
from app.training.params import TrainParams

#: keys of the jobs
TRAINING, CANDIDATE, CHAMPION = "train", "evaluate_candidate", "evaluate_champion"


class NothingNew(RetortError):
    """There is no newer data to learn from: the run is left out, which is no mistake."""

    code = "conflict"


@dataclass(frozen=True, kw_only=True)
class Retraining:
    jobs: list[Job]
    #: kept with the run: {"jobs", "dataset", "evaluate_on", "champion", "champion_id"}
    details: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What a run means now."""

    holder: ModelVersionRow | None
    dataset: DatasetRow
    params: dict[str, Any]
    evaluate_on: DatasetRow


def check_retrain(
    resources: Resources, session: Session, principal: Principal, spec: RetrainSpec
) -> None:
    """As a run would do it now; nothing is stored. Raises what is wrong, with the field."""
    with field("/alias"):
        alias_word(spec.alias)
    if spec.metric is not None:
        with field("/metric"):
            metrics.get(spec.metric)
    plan = _plan(session, principal, spec)
    with _of_training(spec):
        submission = Submission(kind=TRAIN.name, params=_parsed(plan))
        preparation(resources, submission)(session, as_new_job(resources, principal, submission))


@contextmanager
def _of_training(spec: RetrainSpec) -> Iterator[None]:
    """Errors name params of a job; here those are `train`, or come from the champion."""
    try:
        yield
    except RetortError as error:
        error.errors = [{**one, "pointer": _place(spec, one["pointer"])} for one in error.errors]
        raise


def _place(spec: RetrainSpec, pointer: str) -> str:
    return "/model" if spec.train is None else "/train" + pointer.removeprefix("/params")


def _parsed(plan: _Plan) -> TrainParams:
    found = parse_params(KINDS[TRAIN.name], plan.params)
    if not isinstance(found, TrainParams):
        raise TypeError(found)
    return found


def store_retraining(
    resources: Resources,
    session: Session,
    principal: Principal,
    spec: RetrainSpec,
    labels: Mapping[str, str],
) -> Retraining:
    """The jobs of a run. Raises NothingNew, and what is wrong by now."""
    plan = _plan(session, principal, spec)
    holder = plan.holder
    if spec.only_new_data and holder is not None and holder.dataset_id == plan.dataset.id:
        raise NothingNew(
            f"{holder.name}:{holder.number} was trained on {_ref(plan.dataset)}, and there is no "
            "newer version of it"
        )
    steps = _steps(plan, spec, labels)
    workflow = store_workflow(resources, session, principal, steps)
    details: dict[str, Any] = {
        # what is decided by at its end, whatever the schedule says then
        "spec": spec.model_dump(mode="json"),
        "workflow": str(workflow.id),
        "jobs": {key: str(job.id) for key, job in workflow.jobs.items()},
        "dataset": _ref(plan.dataset),
        "evaluate_on": _ref(plan.evaluate_on),
        "evaluate_on_id": str(plan.evaluate_on.id),
        "champion": None if holder is None else f"{holder.name}:{holder.number}",
        "champion_id": None if holder is None else str(holder.id),
    }
    return Retraining(jobs=list(workflow.jobs.values()), details=details)


def _steps(plan: _Plan, spec: RetrainSpec, labels: Mapping[str, str]) -> dict[str, Step]:
    shared: dict[str, Any] = {
        "labels": {**spec.labels, **labels},
        "priority": spec.priority,
    }
    on = {"dataset": _ref(plan.evaluate_on)}
    steps = {
        TRAINING: Step(kind=TRAIN.name, params=plan.params, **shared),
        CANDIDATE: Step(
            kind=EVALUATE.name,
            params={**on, "model": {MARK: f"{TRAINING}.result.model_ref"}},
            **shared,
        ),
    }
    if plan.holder is not None:
        ref = f"{plan.holder.name}:{plan.holder.number}"
        steps[CHAMPION] = Step(kind=EVALUATE.name, params={**on, "model": ref}, **shared)
    return steps


def _plan(session: Session, principal: Principal, spec: RetrainSpec) -> _Plan:
    holder = holder_of(session, principal, spec)
    teacher = holder or _newest(session, principal, spec)
    if teacher is None and spec.train is None:
        with field("/model"):
            raise NotFound(
                f"there is no model {spec.model!r} whose training could be repeated",
                remedy="Train it once, or say how: `train`, as the params of a train job.",
            )
    dataset = _dataset(session, principal, spec, teacher)
    with field("/evaluate_on"):
        evaluate_on = resolve_dataset(session, principal.project_id, spec.evaluate_on)
    return _Plan(
        holder=holder,
        dataset=dataset,
        params=_params(spec, teacher, dataset),
        evaluate_on=evaluate_on,
    )


def holder_of(session: Session, principal: Principal, spec: RetrainSpec) -> ModelVersionRow | None:
    """Who bears the alias now."""
    key = (principal.project_id, spec.model, alias_word(spec.alias))
    alias = session.get(AliasRow, key, populate_existing=True)
    return None if alias is None else session.get_one(ModelVersionRow, alias.model_id)


def _newest(session: Session, principal: Principal, spec: RetrainSpec) -> ModelVersionRow | None:
    try:
        return resolve_model(session, principal.project_id, spec.model)
    except NotFound:
        return None


def _dataset(
    session: Session, principal: Principal, spec: RetrainSpec, teacher: ModelVersionRow | None
) -> DatasetRow:
    ref = spec.dataset
    if ref is None and spec.train is not None:
        ref = spec.train.get("dataset")
    if ref is None and teacher is not None and teacher.dataset_id is not None:
        ref = session.get_one(DatasetRow, teacher.dataset_id).name
    with field("/dataset"):
        if ref is None:
            raise InvalidInput(
                "it is not known which data set is learned from: the model was imported, or is new",
                remedy="Name it as `dataset`, e.g. esol for its newest version.",
            )
        if not isinstance(ref, str):
            raise InvalidInput("a data set is named by a text, e.g. esol or esol:3")
        return resolve_dataset(session, principal.project_id, ref)


def _params(
    spec: RetrainSpec, teacher: ModelVersionRow | None, dataset: DatasetRow
) -> dict[str, Any]:
    """Of the training: those given, or those that the teacher was trained with; always with this
    version of the data set, and under the model's name.
    """
    said = spec.train
    if said is None:
        config = {} if teacher is None else teacher.training_config
        said = {name: config[name] for name in TrainParams.model_fields if name in config}
    kept = {name: value for name, value in said.items() if name not in RESOLVED}
    # the alias is moved by the gate alone
    return {**kept, "dataset": _ref(dataset), "name": spec.model, "alias": None}


def newest_evaluation_job(details: Mapping[str, Any]) -> str:
    """The id of the job that measured the new version."""
    found: str = details["jobs"][CANDIDATE]
    return found


def version_by_job(session: Session, job_id: Any) -> ModelVersionRow | None:
    """The version that a training made."""
    return session.scalar(select(ModelVersionRow).where(ModelVersionRow.job_id == job_id).limit(1))


def _ref(row: DatasetRow) -> str:
    return f"{row.name}:{row.number}"
