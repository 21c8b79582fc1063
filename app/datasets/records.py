"""Data sets in Postgres, and as values for the work that reads them."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.core.errors import InvalidInput, NotFound
from app.core.names import listed, shown
from app.datasets.columns import DatasetKind, kind_of, stored_name
from app.db.datasets import DatasetRow
from app.resources import Resources

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_DIGITS = 9
_COUNTS = ("rows_in", "rows_ok", "rows_rejected", "rows_merged")
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def resolve_dataset(session: Session, project_id: UUID, ref: str) -> DatasetRow:
    """`id` | `name` (its newest version) | `name:3`. Raises NotFound with the nearest names."""
    row = _find(session, project_id, ref)
    if row is None:
        raise NotFound(
            f"there is no data set {shown(ref)}", remedy=_nearest(session, project_id, ref)
        )
    return row


def _find(session: Session, project_id: UUID, ref: str) -> DatasetRow | None:
    if _ID.fullmatch(ref):
        row = session.get(DatasetRow, UUID(ref))
        return row if row is not None and row.project_id == project_id else None
    name, _, number = ref.partition(":")
    query = select(DatasetRow).where(DatasetRow.project_id == project_id, DatasetRow.name == name)
    if number:
        if not is_version(number):
            return None
        query = query.where(DatasetRow.number == int(number))
    return session.scalar(query.order_by(DatasetRow.number.desc()).limit(1))


def is_version(number: str) -> bool:
    """A version number that the database can hold."""
    return number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS


def _nearest(session: Session, project_id: UUID, ref: str) -> str:
    names = session.scalars(
        select(DatasetRow.name).where(DatasetRow.project_id == project_id).distinct()
    ).all()
    if not names:
        return "There is no data set yet: upload a file, then POST /api/v1/datasets."
    known = listed(ref.partition(":")[0], names, most=5)
    return f"Known data sets: {known}. List them: GET /api/v1/datasets."


def version_before(session: Session, row: DatasetRow) -> str:
    """The newest ready version below `row`. Raises NotFound when there is none."""
    number = session.scalar(
        select(func.max(DatasetRow.number)).where(
            DatasetRow.project_id == row.project_id,
            DatasetRow.name == row.name,
            DatasetRow.number < row.number,
            DatasetRow.manifest_key.is_not(None),
        )
    )
    if number is None:
        raise NotFound(
            f"there is no version before {row.name}:{row.number}",
            remedy="Say which data set to compare with: `against=<name>:<number>`.",
        )
    return f"{row.name}:{number}"


def create_dataset(
    session: Session,
    *,
    project_id: UUID,
    name: str,
    file_id: UUID,
    job_id: UUID | None,
    created_by: str,
) -> DatasetRow:
    """The next version of `name`; others that ask wait until this transaction has ended."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 2))"),
        {"name": f"{project_id}:{name}"},
    )
    newest = session.scalar(
        select(func.max(DatasetRow.number)).where(
            DatasetRow.project_id == project_id, DatasetRow.name == name
        )
    )
    row = DatasetRow(
        project_id=project_id,
        name=name,
        number=(newest or 0) + 1,
        file_id=file_id,
        job_id=job_id,
        created_by=created_by,
    )
    session.add(row)
    session.flush()
    return row


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A ready data set; the table is read at first use."""

    id: UUID
    ref: str
    name: str
    sha256: str
    kind: DatasetKind
    #: [{"name", "role", "type", "unit"?, "format"?}]
    columns: list[dict[str, Any]]
    folder_key: str
    resources: Resources
    #: of its ingest: rows_in = rows_ok + rows_rejected + rows_merged
    counts: dict[str, int] = field(default_factory=dict)
    #: why rows were refused -> how many; at most the 50 most frequent
    refused: dict[str, int] = field(default_factory=dict)

    @cached_property
    def table(self) -> "pa.Table":
        """clean.parquet: row, smiles, input_smiles, n_merged, then the kept columns."""
        import pyarrow.parquet as pq

        path = self.resources.storage.local_path(f"{self.folder_key}/clean.parquet")
        return pq.read_table(path)

    @property
    def size(self) -> int:
        """Rows."""
        return int(self.table.num_rows)

    @cached_property
    def smiles(self) -> list[str]:
        """Standardized SMILES, row by row; empty for a table."""
        return self.column("smiles") if self.kind == "molecule" else []

    @cached_property
    def rows(self) -> list[int]:
        """Row numbers of the source file (the first one of merged rows)."""
        return self.column("row")

    def column(self, name: str) -> list[Any]:
        values: list[Any] = self.table.column(name).to_pylist()
        return values

    def values(self, name: str) -> list[Any]:
        """Of a column by its name in the file: float, datetime or str, None where missing."""
        return self.column(stored_name(name))

    def named(self, role: str) -> list[str]:
        return [column["name"] for column in self.columns if column["role"] == role]


def load_dataset(resources: Resources, dataset_id: UUID) -> Dataset:
    """Raises NotFound, and InvalidInput for a data set that is not ready."""
    with resources.database.session() as session:
        row = session.get(DatasetRow, dataset_id)
    if row is None:
        raise NotFound(f"there is no data set {dataset_id}")
    if row.manifest_key is None or row.sha256 is None:
        raise InvalidInput(
            f"the data set {row.name}:{row.number} is not ready",
            code="dataset_not_ready",
            remedy="Wait for its ingest job, or name that job in `needs`.",
        )
    return Dataset(
        id=row.id,
        ref=f"{row.name}:{row.number}",
        name=row.name,
        sha256=row.sha256,
        kind=kind_of(row.columns),
        columns=list(row.columns),
        folder_key=row.manifest_key.rpartition("/")[0],
        resources=resources,
        counts={name: n for name in _COUNTS if (n := getattr(row, name)) is not None},
        refused=dict((row.report or {}).get("reasons") or {}),
    )
