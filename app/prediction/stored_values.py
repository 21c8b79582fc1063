"""A column of numbers that is here already: of a data set, a predict job, a model's evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import InvalidInput, NotFound, UnknownName
from app.core.names import listed, shown
from app.datasets.columns import stored_name
from app.datasets.records import load_dataset, resolve_dataset
from app.db.files import FileRow
from app.db.jobs import JobRow
from app.db.models import ModelVersionRow
from app.models.records import resolve_model
from app.prediction.comparison_params import StoredValues
from app.resources import Resources

#: more take longer than a caller waits
_MAX_ROWS = 500_000


@dataclass(frozen=True, kw_only=True)
class StoredColumn:
    """n rows."""

    #: the property
    name: str
    #: the source, for sentences
    said: str
    unit: str | None
    #: (n,) NaN where there is no value
    values: NDArray[np.float64]
    #: (n,) of the data set's file
    rows: NDArray[np.int64]
    #: (n,) standardized SMILES; None in a table
    smiles: NDArray[np.str_] | None
    #: of which the rows are
    dataset_id: str | None
    #: whether replicates are rows of their own
    raw: bool


def resolve_stored(session: Session, project_id: UUID, given: StoredValues) -> dict[str, Any]:
    """What `read_column` takes, as JSON. Raises NotFound, UnknownName, InvalidInput."""
    if given.dataset is not None:
        dataset = resolve_dataset(session, project_id, given.dataset)
        return {"dataset_id": str(dataset.id), "column": given.column, "unit": given.unit}
    if given.job is not None:
        return _of_job(session, project_id, given.job, given)
    return _of_model(resolve_model(session, project_id, given.model or ""), given)


def read_column(resources: Resources, resolved: dict[str, Any]) -> StoredColumn:
    """Raises UnknownName for a column that is not there, InvalidInput for one without numbers."""
    if "key" not in resolved:
        return _of_dataset(resources, resolved)
    column, said = resolved["column"], resolved["said"]
    table = _read(resources.storage.local_path(resolved["key"]), said, None)
    if resolved["part"] is not None:
        import pyarrow.compute as pc

        table = table.filter(pc.field("part") == resolved["part"])
    return _column(table, resolved["stored_as"], resolved, name=column, said=said)


# ---- predict jobs and models


def _of_job(
    session: Session, project_id: UUID, job_id: UUID, given: StoredValues
) -> dict[str, Any]:
    job = session.get(JobRow, job_id)
    if job is None or job.project_id != project_id:
        raise NotFound(f"there is no job {job_id}")
    file = session.scalar(
        select(FileRow).where(FileRow.job_id == job_id, FileRow.name == "predictions.parquet")
    )
    model = session.get(ModelVersionRow, UUID(job.params["model_id"])) if file else None
    if file is None or model is None:
        raise InvalidInput(
            f"the job {job_id} ({job.kind}, {job.state}) has no predictions",
            remedy="Name a job of kind predict that has succeeded.",
        )
    target = _target(model, given)
    return {
        "key": file.storage_key,
        "column": target["name"],
        "stored_as": target["name"],
        "part": None,
        "unit": given.unit or target.get("unit"),
        "dataset_id": job.params.get("dataset_id"),
        "raw": True,
        "said": f"job {job_id}",
    }


def _of_model(model: ModelVersionRow, given: StoredValues) -> dict[str, Any]:
    target = _target(model, given)
    dataset_id = None if model.dataset_id is None else str(model.dataset_id)
    return {
        "key": f"{model.manifest_key.rpartition('/')[0]}/predictions.parquet",
        "column": target["name"],
        "stored_as": f"{target['name']}_predicted",
        "part": given.part,
        "unit": given.unit or target.get("unit"),
        "dataset_id": dataset_id,
        "raw": False,
        "said": f"model {model.name}:{model.number} ({given.part})",
    }


def _target(model: ModelVersionRow, given: StoredValues) -> dict[str, Any]:
    ref, names = f"{model.name}:{model.number}", [target["name"] for target in model.targets]
    if model.task != "regression":
        raise InvalidInput(
            f"the model {ref} predicts classes, not numbers",
            remedy="Measure it with a job of kind evaluate.",
        )
    if given.column is None and len(names) > 1:
        raise InvalidInput(
            f"the model {ref} has {len(names)} targets",
            remedy=f"Name one as `column`: {listed('', names)}.",
        )
    for target in model.targets:
        if given.column in (None, target["name"]):
            return dict(target)
    raise UnknownName(
        f"the model {ref} has no target {shown(given.column)}",
        remedy=f"Its targets are: {listed(given.column or '', names)}.",
    )


# ---- data sets


def _of_dataset(resources: Resources, resolved: dict[str, Any]) -> StoredColumn:
    dataset = load_dataset(resources, UUID(resolved["dataset_id"]))
    name = resolved["column"]
    known = {column["name"]: column for column in dataset.columns}
    numbers = [n for n, column in known.items() if column["type"] == "number"]
    kept = [n for n in numbers if known[n]["role"] in ("target", "feature")]
    if name not in kept:
        wrong = "no column" if name not in known else "no numbers in a column"
        raise UnknownName(
            f"the data set {dataset.ref} has {wrong} {shown(name)}",
            remedy=f"Its columns of numbers are: {listed(name, kept)}. Give a column the role"
            " target at ingest, so that it is kept.",
        )
    path = resources.storage.local_path(f"{dataset.folder_key}/clean.parquet")
    stored = stored_name(name)
    names = ["row", *(["smiles"] if dataset.kind == "molecule" else []), stored]
    table = _read(path, dataset.ref, names)
    unit = resolved["unit"] or known[name].get("unit")
    facts = {"unit": unit, "dataset_id": str(dataset.id), "raw": False}
    return _column(table, stored, facts, name=name, said=dataset.ref)


# ---- tables


def _read(path: Path, said: str, names: Sequence[str] | None) -> Any:
    import pyarrow.parquet as pq

    rows = pq.ParquetFile(path).metadata.num_rows
    if rows > _MAX_ROWS:
        raise InvalidInput(
            f"{said} has {rows:,} rows; {_MAX_ROWS:,} are compared at once",
            remedy="Ingest a part of the file as a data set of its own.",
        )
    return pq.read_table(path, columns=None if names is None else list(names))


def _column(
    table: Any, stored: str, facts: dict[str, Any], *, name: str, said: str
) -> StoredColumn:
    smiles_column = next(
        (n for n in ("canonical_smiles", "smiles") if n in table.column_names), None
    )
    smiles = None
    if smiles_column is not None:
        # of what could not be read there is none
        table = table.filter(table.column(smiles_column).is_valid())
        smiles = np.array(table.column(smiles_column).to_pylist(), dtype=np.str_)
    values = table.column(stored).to_numpy().astype(np.float64)
    return StoredColumn(
        name=name,
        said=said,
        unit=facts["unit"],
        values=values,
        rows=table.column("row").to_numpy(),
        smiles=smiles,
        dataset_id=facts["dataset_id"],
        raw=facts["raw"],
    )
