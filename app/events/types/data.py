"""Of data sets and features."""

from pydantic import Field

from app.events.types.base import FailedJobData, JobEventData


class DatasetIngested(JobEventData):
    """A version of a data set can be used."""

    dataset_id: str
    name: str
    number: int
    counts: dict[str, int] = Field(description="Rows: rows_total, rows_ok, rows_failed, ...")


class DatasetIngestionFailed(FailedJobData):
    """No version was made."""


class FeatureVectorsCalculated(JobEventData):
    """The features of a data set are stored."""

    dataset_id: str
    feature_artifact: str = Field(description="Blob key of their manifest.")
    structures: int = Field(description="Rows of the data set.")
    columns: int = Field(description="Width of the matrix.")
    failed: int = Field(description="Rows without features.")
    fingerprints: list[str] = Field(description="Names of the featurizers.")


class FeatureVectorsCalculationFailed(FailedJobData):
    """No features were stored."""
