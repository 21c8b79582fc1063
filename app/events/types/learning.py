"""Of training, tuning and evaluation."""

from typing import ClassVar

from pydantic import Field

from app.events.types.base import FailedJobData, JobEventData, Json, Part


class ModelTrainingStarted(JobEventData):
    """A worker has begun a training; once more for each attempt."""

    model_name: str | None = Field(description="None: it will be called like the data set.")


class ModelProperty(Part):
    """What a model predicts, in the words of the platform that asked for it first."""

    category: str = Field(description="regression, binary or multiclass.")
    name: str = Field(description="The target column; several are joined by commas.")
    units: str | None = None
    description: str = ""


class TrainedOn(Part):
    """The data set in the same words."""

    title: str = Field(description="name:number")
    description: str = ""


class ModelTrained(JobEventData):
    """A model version is in the registry."""

    model_id: str
    name: str
    version: int
    metrics: Json
    property: ModelProperty
    dataset: TrainedOn
    modi: Json | None = Field(default=None, description="Domain of applicability, where stated.")
    method_display_name: str = Field(description="The algorithm.")
    available_single_structure_prediction: bool
    artifact: str = Field(description="Blob key of the model's manifest.")


class ModelThumbnailGenerated(JobEventData):
    """Not sent by this release: plots are part of a model's report."""

    sent: ClassVar[bool] = False

    file_id: str


class TrainingFailed(FailedJobData):
    """A training failed or was cancelled: no model version was made."""

    is_model_trained: bool = False
    is_thumbnail_generated: bool = False


class TrainingOptimized(JobEventData):
    """A search of parameters has ended; with `then: train` a ModelTrained comes too."""

    study_id: str
    best_params: Json
    best_score: float | None
    fingerprints: list[str] = Field(description="Names of the featurizers.")
    scaler: str | None = Field(default=None, description="Algorithms scale by themselves.")
    k_fold: int | None = None
    sub_sample_size: float | None = None
    test_data_size: float | None = None


class TrainingOptimizationFailed(FailedJobData):
    """The search failed or was cancelled."""


class AutoMLCompleted(JobEventData):
    """Not sent by this release."""

    sent: ClassVar[bool] = False

    summary: Json


class AutoMLFailed(FailedJobData):
    """Not sent by this release."""

    sent: ClassVar[bool] = False


class ModelEvaluated(JobEventData):
    """A model was measured on a data set."""

    evaluation_id: str
    model_id: str
    model_ref: str
    dataset_id: str
    summary: Json = Field(description="Means of the metrics over the targets.")


class ExplanationGenerated(JobEventData):
    """Not sent by this release."""

    sent: ClassVar[bool] = False

    model_id: str
    summary: Json


class ReportGenerated(JobEventData):
    """Not sent by this release: a report is part of its model, and ModelTrained tells of it."""

    sent: ClassVar[bool] = False

    file_ids: list[str]


class ReportGenerationFailed(FailedJobData):
    """Not sent by this release."""

    sent: ClassVar[bool] = False
