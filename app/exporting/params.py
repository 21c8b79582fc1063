"""What `export` and `import_model` jobs take."""

from typing import Literal, get_args
from uuid import UUID

from pydantic import Field

from app.core.requests import RequestModel, Slug

ExportFormat = Literal["bundle", "pyfunc", "onnx"]

FORMATS: tuple[str, ...] = get_args(ExportFormat)


class ExportRequest(RequestModel):
    """bundle: everything, to import elsewhere or to predict without a server. pyfunc: an MLflow
    model. onnx: the fitted estimator behind its features, for any ONNX runtime.
    """

    format: ExportFormat = "bundle"


class ExportParams(ExportRequest):
    """A model version as one file."""

    #: `<id>` | `name` (its @champion, else the newest) | `name:3` | `name@alias`
    model: str = Field(max_length=130, examples=["esol@champion"])
    #: resolved by the gateway when the job was accepted (never sent by clients)
    model_id: UUID | None = None


class ImportParams(RequestModel):
    """An exported bundle becomes the next version of a name."""

    #: the uploaded bundle
    file_id: UUID
    #: left out: as it was called where it comes from
    name: Slug | None = None
    #: hex SHA-256 of the whole file, as the export's result said it; another one is refused
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
