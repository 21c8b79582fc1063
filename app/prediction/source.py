"""The file that a predict job reads, and how: as the request says, else as it was ingested."""

from typing import TypeVar

from app.core.errors import NotFound
from app.datasets.params import ColumnRole, IngestParams
from app.datasets.parts import ReadingOptions
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.db.jobs import JobRow
from app.models.bundle import ModelBundle
from app.prediction.params import PredictParams
from app.resources import Resources

T = TypeVar("T", bound=str)


def source_of(
    resources: Resources, params: PredictParams, bundle: ModelBundle
) -> tuple[FileRow, ReadingOptions]:
    """Raises NotFound."""
    with resources.database.session() as session:
        file_id, ingested, roles = params.file_id, None, _roles(params)
        if params.dataset_id is not None:
            dataset = session.get_one(DatasetRow, params.dataset_id)
            job = session.get(JobRow, dataset.job_id) if dataset.job_id is not None else None
            ingested = IngestParams.model_validate(job.params) if job is not None else None
            file_id, roles = dataset.file_id, _roles_of(dataset) | roles
        file = session.get(FileRow, file_id)
    if file is None:
        raise NotFound(f"there is no file {file_id}")
    return file, ReadingOptions(
        format=_said(params.format, ingested.format if ingested is not None else None),
        sheet=params.sheet or (ingested.sheet if ingested is not None else None),
        decimal=_said(params.decimal, ingested.decimal if ingested is not None else None),
        kind="molecule" if bundle.needs_structures else "table",
        roles=roles,
        to_learn=False,
    )


def _said(asked: T, before: T | None) -> T:
    """What the request says, unless it leaves the choice."""
    return asked if asked != "auto" or before is None else before


def _roles(params: PredictParams) -> dict[str, ColumnRole]:
    chosen: dict[str, ColumnRole] = {}
    if params.smiles_column is not None:
        chosen[params.smiles_column] = "smiles"
    if params.id_column is not None:
        chosen[params.id_column] = "id"
    return chosen


def _roles_of(dataset: DatasetRow) -> dict[str, ColumnRole]:
    """Its structures and identifiers stay what they were at ingest."""
    return {c["name"]: c["role"] for c in dataset.columns if c["role"] in ("smiles", "id")}
