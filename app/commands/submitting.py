"""A command becomes a job: for messages (stream.py) and for the routes of OSDR alike."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError
from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.commands.blobs import blob_file
from app.commands.methods import Holds, method_of
from app.commands.types import (
    CalculateFeatureVectors,
    Command,
    OptimizeTraining,
    PredictProperties,
    SingleStructurePredict,
    TrainModel,
)
from app.core.errors import NotFound
from app.datasets.params import IngestParams
from app.datasets.records import resolve_dataset
from app.db.models import ModelVersionRow
from app.jobs.model import Job
from app.jobs.states import JobState
from app.kinds import KINDS, Submission, Submitted, replay_of, submit
from app.kinds.once import ingested_once
from app.kinds.references import field, fields_as
from app.kinds.validation import invalid_params
from app.models.short_ids import find_by_short_id
from app.resources import Resources

#: what becomes of a job that was stored now and may run
Send = Callable[[Job], None]

#: pointers of the job's request -> those of the command
_FIELDS = {
    "/params/dataset": "/dataset_id",
    "/params/model": "/model_id",
    "/params/file_id": "/file_id",
    "/params/features": "/features",
    "/params/algorithm/params": "/hyperparameters",
    "/params/algorithm": "/algorithm",
    "/params/n_trials": "/n_trials",
    "/params/models": "/models",
    "/params/structure": "/structure",
    "/params/format": "/format",
    "/params/property_name": "/property_name",
}
_SHORT_MODEL = re.compile(r"model-[0-9a-f]{12}")


def submit_command(
    resources: Resources,
    principal: Principal,
    command: Command,
    send: Send,
    *,
    labels: Mapping[str, str] | None = None,
) -> Submitted:
    """The job of the command; the same command of the same sender again is the same job. `labels`
    are added to its own.

    Raises as `app.kinds.submit` and `blob_file`, naming the fields of the command.
    """
    door = _Door(
        resources=resources,
        principal=principal,
        command=command,
        send=send,
        labels={**command.labels, **(labels or {})},
    )
    asked = command.model_dump(mode="json")
    known = replay_of(resources, principal, asked, command.idempotency_key)
    if known is not None:
        return Submitted(job=known, replayed=True)
    with fields_as(_FIELDS):
        submission = replace(_submission(door.resolved()), labels=door.labels, asked=asked)
        return door.store(submission, command.idempotency_key)


def _submission(command: Command) -> Submission:
    try:
        return command.submission()
    except ValidationError as error:
        raise invalid_params(KINDS[command.kind], error.errors()) from error


@dataclass(frozen=True, kw_only=True)
class _Door:
    """For one command."""

    resources: Resources
    principal: Principal
    command: Command
    send: Send
    labels: dict[str, str]

    def store(self, submission: Submission, key: str) -> Submitted:
        submitted = submit(self.resources, self.principal, submission, idempotency_key=key)
        if not submitted.replayed and submitted.job.state is JobState.QUEUED:
            self.send(submitted.job)
        return submitted

    def resolved(self) -> Command:
        """What only the database knows, put into the command's fields."""
        match self.command:
            case CalculateFeatureVectors(blob_id=str(blob_id), bucket=bucket):
                return self._changed(dataset_id=self._read(blob_id, bucket))
            case TrainModel(algorithm=str(name)) | OptimizeTraining(algorithm=str(name)):
                method = method_of(name)
                if method is not None and method.of_numbers is not None:
                    return self._changed(algorithm=method.for_target(self._target_holds()))
            case PredictProperties(model_id=name):
                return self._changed(model_id=self._model(name, "/model_id"))
            case SingleStructurePredict(models=names):
                found = (self._model(name, f"/models/{n}") for n, name in enumerate(names))
                return self._changed(models=tuple(found))
            case _:
                pass
        return self.command

    def _changed(self, **fields: str | tuple[str, ...]) -> Command:
        return self.command.model_copy(update=fields)

    def _read(self, blob_id: str, bucket: str) -> str:
        """The data set that the file has become, or is becoming."""
        file = blob_file(self.resources, self.principal, blob_id, bucket)
        project = self.principal.project_id
        return str(ingested_once(self.resources, project, file, self._ingest).id)

    def _ingest(self, params: IngestParams, key: str) -> Job:
        """Its events repeat the ids of the command that asked first."""
        submission = Submission(
            kind="ingest",
            params=params,
            labels=self.labels,
            priority=self.command.priority,
            client_ref=self.command.id,
            correlation_id=self.command.correlation_id,
            asked={"ingest": key},
        )
        return self.store(submission, key).job

    def _model(self, name: str, pointer: str) -> str:
        """By the short id that a training was answered with; else it is the name of a model."""
        if not _SHORT_MODEL.fullmatch(name):
            return name
        with self.resources.database.session() as session, field(pointer):
            try:
                project = self.principal.project_id
                return str(find_by_short_id(session, ModelVersionRow, project, "model", name).id)
            except NotFound:
                return name

    def _target_holds(self) -> Holds | None:
        """None: the data set is not read yet, or its targets are not known."""
        task, targets = (self.command.params.get(name) for name in ("task", "targets"))
        if task not in (None, "auto"):
            return "numbers" if task == "regression" else "classes"
        with self.resources.database.session() as session:
            types = self._target_types(session, targets)
        if not types:
            return None
        return "numbers" if types == {"number"} else "classes"

    def _target_types(self, session: Session, targets: object) -> set[str]:
        """Types of columns, as ingest saw them."""
        try:
            ref = str(getattr(self.command, "dataset_id", ""))
            row = resolve_dataset(session, self.principal.project_id, ref)
        except NotFound:
            return set()  # told where the job is stored
        named = targets if isinstance(targets, list) else None
        return {
            column["type"]
            for column in row.columns
            if (column["name"] in named if named else column["role"] == "target")
        }
