"""Names in a request turned into ids, and checked, when the job is accepted."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from app.algorithms.base import Algorithm, algorithms
from app.core.errors import FieldError, InvalidInput, RetortError
from app.core.registry import Registry
from app.core.requests import PluginSpec
from app.datasets.records import is_version, resolve_dataset
from app.db.database import cursor_of
from app.db.files import FileRow
from app.db.jobs import JobRow
from app.features.recipes.base import expanded
from app.featurizers.base import AnyFeaturizer, featurizers
from app.files.uploaded import owned_file
from app.jobs.states import JobState
from app.jobs.submit import NewJob, with_params
from app.jobs.workers import alive_workers
from app.resources import Resources
from app.splitters.base import splitters
from app.training.params import LearnSpec


@contextmanager
def field(pointer: str) -> Iterator[None]:
    """Names the request's field in an error about it."""
    try:
        yield
    except RetortError as error:
        if not error.errors:
            error.errors = [
                FieldError(pointer=pointer, code=error.problem()["code"], detail=error.detail)
            ]
        else:
            error.errors = [{**e, "pointer": pointer + e["pointer"]} for e in error.errors]
        raise


@contextmanager
def fields_as(names: Mapping[str, str]) -> Iterator[None]:
    """Names the fields of another door in errors about ours: {our pointer: theirs}, of several that
    fit the first.
    """
    try:
        yield
    except RetortError as error:
        error.errors = [_renamed(entry, names) for entry in error.errors]
        raise


def _renamed(entry: FieldError, names: Mapping[str, str]) -> FieldError:
    pointer = entry["pointer"]
    for ours, theirs in names.items():
        if pointer == ours or pointer.startswith(f"{ours}/"):
            return {**entry, "pointer": theirs + pointer.removeprefix(ours)}
    return entry


def check_features(
    features: tuple[PluginSpec, ...], pointer: str = "/params", *, to_learn: bool = True
) -> None:
    """`pointer`: what names them. `to_learn`: for an algorithm, which takes a matrix of numbers."""
    for number, spec in enumerate(features):
        with field(f"{pointer}/features/{number}"):
            for part in expanded((spec,)):
                _check(featurizers, part)
                _check_use(featurizers.get(part.name), to_learn=to_learn)


def _check_use(featurizer: type[AnyFeaturizer], *, to_learn: bool) -> None:
    if why := featurizer.unavailable():
        raise InvalidInput(
            f"{featurizer.name} cannot be used here: {why}", code="featurizer_unavailable"
        )
    if to_learn and featurizer.output in ("tokens", "graphs"):
        raise InvalidInput(
            f"{featurizer.name} gives {featurizer.output}, and algorithms learn from numbers in "
            "columns",
            code="features_do_not_fit",
            remedy="Name fingerprints or descriptors; a featurize job stores "
            f"{featurizer.output} for networks of your own.",
        )


def check_split(spec: PluginSpec) -> None:
    with field("/params/split"):
        _check(splitters, spec)


def _check(registry: Registry[Any], spec: PluginSpec) -> None:
    """Names the field within the spec: its name, or one of its parameters."""
    plugin = registry.get(spec.name)
    with field("/params"):
        plugin.from_values(spec.params)


def check_algorithm(spec: PluginSpec, task: str, pointer: str) -> type[Algorithm]:
    with field(pointer):
        algorithm = algorithms.get(spec.name)
        if why := algorithm.unavailable():
            raise InvalidInput(
                f"{algorithm.name} cannot be used here: {why}",
                code="algorithm_unavailable",
                remedy="Choose another algorithm, or ask the operator to install it.",
            )
        with field("/params"):
            algorithm.parse_params(spec.params)
        if task != "auto" and task not in algorithm.tasks:
            raise InvalidInput(
                f"{algorithm.name} does not do {task}",
                code="task_mismatch",
                remedy=f"It does {', '.join(sorted(algorithm.tasks))}; for {task} use one of: "
                f"{', '.join(a.name for a in algorithms if task in a.tasks)}.",
            )
        return algorithm


def need_dataset(session: Session, new: NewJob, ref: str) -> NewJob:
    """The dataset's id in the params; while it is being ingested the job waits for that."""
    with field("/params/dataset"):
        row = _find_dataset(session, new, ref)
        new = with_params(new, dataset_id=str(row["id"]))
        if row["ready"] or row["job_id"] is None:
            return new
        if row["job_state"] in (JobState.FAILED, JobState.CANCELLED):
            raise InvalidInput(
                f"the dataset {row['name']}:{row['number']} could not be ingested",
                code="dataset_failed",
                remedy=f"See the error of job {row['job_id']}; ingest a corrected file.",
            )
        return replace(new, needs=(*new.needs, row["job_id"]))


_FIND_DATASET: LiteralString = """
SELECT d.id, d.name, d.number, d.manifest_key IS NOT NULL AS ready, d.job_id, j.state AS job_state
FROM datasets d LEFT JOIN jobs j ON j.id = d.job_id
WHERE d.project_id = %(project_id)s AND d.name = %(name)s
  AND (%(number)s::bigint IS NULL OR d.number = %(number)s)
ORDER BY d.number DESC LIMIT 1
"""


def _find_dataset(session: Session, new: NewJob, ref: str) -> dict[str, Any]:
    """Asked once for all jobs that are accepted in one transaction (app/jobs/together.py)."""
    known: dict[Any, dict[str, Any]] = session.info.get("together", {})
    asked = ("dataset", new.project_id, ref)
    if asked not in known:
        known[asked] = _read_dataset(session, new, ref)
    return known[asked]


def _read_dataset(session: Session, new: NewJob, ref: str) -> dict[str, Any]:
    """By plain SQL: this is on the way of every training that is accepted."""
    name, _, number = ref.partition(":")
    if number and not is_version(number):
        name, number = "", ""
    cursor = cursor_of(session)
    values = {"project_id": new.project_id, "name": name, "number": int(number or 0) or None}
    cursor.execute(_FIND_DATASET, values)
    found = cursor.fetchone()
    if found is not None:
        return found
    # an id, or nothing: then this raises with the nearest names
    row = resolve_dataset(session, new.project_id, ref)
    return {
        "id": row.id,
        "name": row.name,
        "number": row.number,
        "ready": row.manifest_key is not None,
        "job_id": row.job_id,
        "job_state": _state_of(session, row.job_id),
    }


def _state_of(session: Session, job_id: UUID | None) -> str | None:
    job = session.get(JobRow, job_id) if job_id is not None else None
    return None if job is None else job.state


def need_file(session: Session, new: NewJob, file_id: UUID, pointer: str) -> FileRow:
    with field(pointer):
        return owned_file(session, new.project_id, file_id, remedy="Upload it: POST /api/v1/files.")


def choose_queue(
    resources: Resources, new: NewJob, algorithm: type[Algorithm], spec: LearnSpec
) -> NewJob:
    """Cpu algorithms: the cpu queue. gpu algorithms: the gpu queue; but with `device` auto and no
    gpu worker alive the cpu queue takes it, and with `cuda` the job waits and says so.
    """
    if algorithm.device == "cpu" or spec.device == "cpu":
        return replace(new, queue="cpu")
    if _gpu_worker_alive(resources):
        return replace(new, queue="gpu")
    if spec.device == "auto":
        return replace(new, queue="cpu")
    warning: dict[str, Any] = {
        "code": "no_gpu_worker",
        "detail": "no gpu worker is alive; the job waits until one is. device 'auto' would not.",
    }
    return replace(new, queue="gpu", warnings=(*new.warnings, warning))


def _gpu_worker_alive(resources: Resources) -> bool:
    if "gpu" in resources.settings.take_one_queues:  # its workers come when there is a job
        return True
    return any("gpu" in worker.queues for worker in alive_workers(resources.cache))
