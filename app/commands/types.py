"""The commands, by their exact names (requirements S0): each says which job it asks for."""

from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.commands.methods import method_of
from app.core.requests import PluginSpec, RequestModel
from app.kinds import KINDS, Submission

_Text = Annotated[str, Field(max_length=200)]
#: files that were sent to us
OWN_BUCKET = "retort"


class Command(RequestModel):
    """What each of them carries; the events of its job repeat it."""

    kind: ClassVar[str]

    #: the sender's own; the same command sent again with it is the same job
    id: str = Field(min_length=1, max_length=200)
    user_id: str = Field(min_length=1, max_length=100, pattern=r"^[\w.@:+-]+$")
    correlation_id: _Text | None = None
    labels: dict[_Text, _Text] = Field(default_factory=dict, max_length=50)
    priority: int = Field(default=5, ge=0, le=9)
    #: anything else that a job of the kind takes (POST /api/v1/jobs)
    params: dict[str, Any] = Field(default_factory=dict)

    def own_params(self) -> dict[str, Any]:
        """What its fields mean in the words of the job's params."""
        raise NotImplementedError

    @property
    def idempotency_key(self) -> str:
        """Of its sender: each command counts its ids by itself."""
        return f"{type(self).__name__}:{self.id}"

    def submission(self) -> Submission:
        """Raises pydantic.ValidationError for params that the kind does not take."""
        given = {name: value for name, value in self.own_params().items() if value is not None}
        return Submission(
            kind=self.kind,
            params=KINDS[self.kind].params.model_validate({**self.params, **given}),
            labels=dict(self.labels),
            priority=self.priority,
            client_ref=self.id,
            correlation_id=self.correlation_id,
        )


class CalculateFeatureVectors(Command):
    """Features of a data set, stored for whoever trains on it."""

    kind = "featurize"

    #: id, name or name:number
    dataset_id: str | None = Field(default=None, max_length=100)
    #: in place of a data set, a file (app/commands/blobs.py): it is read into one first
    blob_id: str | None = Field(default=None, min_length=1, max_length=1_000)
    bucket: str = Field(default=OWN_BUCKET, min_length=1, max_length=255)
    features: tuple[PluginSpec, ...] | None = Field(default=None, max_length=8)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.dataset_id is None) == (self.blob_id is None):
            raise ValueError("give either dataset_id, or blob_id and bucket")
        return self

    def own_params(self) -> dict[str, Any]:
        return {"dataset": self.dataset_id, "features": self.features}


class TrainModel(Command):
    """A model version."""

    kind = "train"

    dataset_id: str = Field(max_length=100)
    #: OSDR's name of a method (app/commands/methods.py), or ours
    algorithm: str | None = Field(default=None, max_length=100)
    hyperparameters: dict[str, Any] | None = None

    def own_params(self) -> dict[str, Any]:
        chosen = _chosen(self.algorithm)
        if "algorithm" in chosen:
            chosen["algorithm"] = {
                "name": chosen["algorithm"],
                "params": self.hyperparameters or {},
            }
        return {"dataset": self.dataset_id, **chosen}


class OptimizeTraining(Command):
    """The best parameters of an algorithm, and a model version with them."""

    kind = "optimize"

    dataset_id: str = Field(max_length=100)
    algorithm: str | None = Field(default=None, max_length=100)
    n_trials: int | None = Field(default=None, ge=1)

    def own_params(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset_id,
            **_chosen(self.algorithm),
            "n_trials": self.n_trials,
        }


class PredictProperties(Command):
    """Predictions of a file, or of the file that a data set was read from."""

    kind = "predict"

    #: id, name, name:number or name@alias; or as a training was answered: model-1f0c9a2b7d3e
    model_id: str = Field(max_length=130)
    dataset_id: str | None = Field(default=None, max_length=100)
    file_id: UUID | None = None

    def own_params(self) -> dict[str, Any]:
        return {"model": self.model_id, "dataset": self.dataset_id, "file_id": self.file_id}


class SingleStructurePredict(Command):
    """Predictions of one molecule by some models."""

    kind = "predict_structure"

    structure: str = Field(min_length=1, max_length=100_000)
    #: smiles or mol, in any case
    format: str | None = Field(default=None, max_length=10)
    #: each as `PredictProperties` takes one
    models: tuple[Annotated[str, Field(max_length=130)], ...] = Field(min_length=1, max_length=20)
    property_name: str | None = Field(default=None, min_length=1, max_length=500)

    def own_params(self) -> dict[str, Any]:
        return {
            "structure": self.structure,
            "format": None if self.format is None else self.format.lower(),
            "models": self.models,
            "property_name": self.property_name,
        }


class PredictStructure(SingleStructurePredict):
    """The same, by the name that OSDR's programs know."""


def _chosen(algorithm: str | None) -> dict[str, Any]:
    """The algorithm by our name, and the task where OSDR's name says which it is."""
    if algorithm is None:
        return {}
    method = method_of(algorithm)
    if method is None:
        return {"algorithm": algorithm}
    return {"algorithm": method.algorithm, "task": None if method.task == "auto" else method.task}


COMMANDS: dict[str, type[Command]] = {
    cls.__name__: cls
    for cls in (
        *(CalculateFeatureVectors, TrainModel, OptimizeTraining),
        *(PredictProperties, SingleStructurePredict, PredictStructure),
    )
}
