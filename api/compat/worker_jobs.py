"""The ML worker's requests as our jobs: a path becomes a data set, a class name an algorithm."""

from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.job_desk import accept
from api.schemas.compat_worker import WorkerOptimizeRequest, WorkerTrainRequest
from app.access.principal import Principal
from app.algorithms.base import Algorithm, algorithms
from app.core.requests import PluginSpec
from app.db.evaluations import EvaluationRow
from app.db.jobs import JobRow
from app.db.models import ModelVersionRow
from app.evaluation.params import EvaluateParams
from app.files.importing import import_file
from app.jobs.model import Job
from app.jobs.states import TERMINAL, JobState
from app.jobs.store import get_job
from app.kinds import Submission
from app.kinds.once import ingested_once, patiently
from app.kinds.references import field, fields_as
from app.resources import Resources
from app.training.params import SplitSpec, TrainParams
from app.tuning.params import OptimizeParams
from workers.dispatch import Dispatcher

_LABELS = {"compat": "worker"}
_BOOTSTRAP = 200
#: the seed's test_size and random_state, where a request has none
_TEST_SIZE, _SEED = 0.2, 42
_CLASSIFIERS = frozenset({"logisticregression", "svc"})
_REGRESSORS = frozenset({"linearregression", "svr"})

#: our pointers -> the worker's fields
_FIELDS = {
    "/params/n_trials": "/n_trials",
    "/params/targets": "/target_column",
    "/params/algorithm": "/algorithm",
    "/params/dataset": "/dataset_path",
}


class WorkerJobs:
    """For one caller."""

    def __init__(self, resources: Resources, caller: Principal, dispatcher: Dispatcher) -> None:
        self._resources = resources
        self._caller = caller
        self._dispatcher = dispatcher

    def train(self, request: WorkerTrainRequest, key: str | None) -> Job:
        hyperparams = request.hyperparams or {}
        algorithm = _algorithm(request.algorithm, hyperparams)
        params = TrainParams(
            dataset=self._dataset(request.dataset_path, request.target_column),
            targets=(request.target_column,),
            task=_task(request.algorithm, algorithm),
            algorithm=PluginSpec(name=algorithm.name, params=hyperparams),
            split=_split(request.test_size, request.random_state),
            seed=request.random_state,
            bootstrap=_BOOTSTRAP,
        )
        return self._submit("train", params, key)

    def optimize(self, request: WorkerOptimizeRequest, key: str | None) -> Job:
        """Scored as scikit-learn's cross_val_score does: accuracy of classes, R2 of numbers; by
        our own default where the algorithm's name leaves open which it is.
        """
        algorithm = _algorithm(request.algorithm, {})
        task = _task(request.algorithm, algorithm)
        params = OptimizeParams(
            dataset=self._dataset(request.dataset_path, request.target_column),
            targets=(request.target_column,),
            task=task,
            algorithm=algorithm.name,
            n_trials=request.n_trials,
            metric={"auto": None, "regression": "r2"}.get(task, "accuracy"),
            space="seed",
            then="none",
            split=_split(_TEST_SIZE, _SEED),
            seed=_SEED,
        )
        return self._submit("optimize", params, key)

    def evaluate(self, model: ModelVersionRow) -> EvaluationRow | Job:
        """The newest evaluation on the model's test rows; else the job that makes one."""
        with self._resources.database.session() as session:
            found = _evaluation(session, model)
            last = None if found else _last_evaluate_job(session, model)
        if found is not None:
            return found
        if last is not None and JobState(last.state) not in TERMINAL:
            return get_job(self._resources.database, model.project_id, last.id)
        params = EvaluateParams(model=str(model.id), part="test", bootstrap=_BOOTSTRAP)
        return self._submit_once("evaluate", params, str(model.id), last and last.id)

    def _submit(self, kind: str, params: Any, key: str | None) -> Job:
        with fields_as(_FIELDS):
            submission = Submission(kind=kind, params=params, labels=_LABELS)
            return accept(self._resources, self._caller, self._dispatcher, submission, key).job

    def _submit_once(self, kind: str, params: Any, of: str, after: object) -> Job:
        """Requests that come at once make one job: their key names what was there before."""
        key = f"worker-{kind}-{of}-{after or 'first'}"
        return patiently(lambda: self._submit(kind, params, key))

    def _dataset(self, path: str, target: str) -> str:
        """A reference to what the file has become, or is becoming; nothing is read here but its
        bytes, and equal content is not ingested again.
        """
        project = self._caller.project_id
        with field("/dataset_path"):
            file = import_file(self._resources, project, path, by=self._caller.name)
        row = ingested_once(
            self._resources,
            project,
            file,
            lambda params, key: self._submit("ingest", params, f"worker-{key}"),
            roles={target: "target"},
        )
        return f"{row.name}:{row.number}"


def _evaluation(session: Session, model: ModelVersionRow) -> EvaluationRow | None:
    return session.scalar(
        select(EvaluationRow)
        .where(
            EvaluationRow.model_id == model.id,
            EvaluationRow.dataset_id == model.dataset_id,
            EvaluationRow.part == "test",
        )
        .order_by(EvaluationRow.id.desc())
        .limit(1)
    )


def _last_evaluate_job(session: Session, model: ModelVersionRow) -> JobRow | None:
    """Of ours, for this model."""
    return session.scalar(
        select(JobRow)
        .where(
            JobRow.project_id == model.project_id,
            JobRow.kind == "evaluate",
            JobRow.params["model_id"].astext == str(model.id),
            JobRow.labels.contains(_LABELS),
        )
        .order_by(JobRow.id.desc())
        .limit(1)
    )


def _algorithm(name: str, hyperparams: dict[str, Any]) -> type[Algorithm]:
    with field("/algorithm"):
        algorithm = algorithms.get(name)
    with field("/hyperparams"):
        algorithm.parse_params(hyperparams)
    return algorithm


def _task(
    word: str, algorithm: type[Algorithm]
) -> Literal["auto", "regression", "binary", "multiclass"]:
    """scikit-learn's class names say which it is; of two classes or more is seen in the data."""
    plain = word.lower()
    if plain.endswith("classifier") or plain in _CLASSIFIERS:
        return "multiclass"
    if plain.endswith("regressor") or plain in _REGRESSORS:
        return "regression"
    return "auto" if len(algorithm.tasks) > 1 else next(iter(algorithm.tasks))


def _split(test_size: float, seed: int) -> SplitSpec:
    params = {"train": 1 - test_size, "validation": 0.0, "test": test_size}
    return SplitSpec(name="random", params=params, seed=seed)
