"""A raw file cut into Parquet parts, one per chunk: what ingest and batch prediction begin with."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, Self
from uuid import UUID

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from app.core.errors import InvalidInput
from app.core.work import ChunkSpec, WorkContext
from app.datasets.columns import STRUCTURE, Column, guess_columns
from app.datasets.params import ColumnRole
from app.datasets.reading import SourceRow, open_table
from app.resources import Resources
from app.storage import Storage, keys

MAX_CHUNKS = 200
#: rows that roles are guessed from
_SAMPLE_ROWS = 500
_MIN_ROWS_PER_PART = 1000


class Layout(BaseModel):
    """How a file was read; stored beside its parts, for chunks and finalize."""

    model_config = ConfigDict(frozen=True)

    format: str
    columns: list[Column]
    rows: int
    rows_per_part: int
    notes: list[str]

    def names(self, role: ColumnRole) -> list[str]:
        return [column["name"] for column in self.columns if column["role"] == role]

    @property
    def structure(self) -> str:
        return self.names("smiles")[0]

    def save(self, storage: Storage, job_id: UUID, attempt: int) -> None:
        storage.write(
            keys.work(job_id, attempt, "layout.json"), orjson.dumps(self.model_dump(mode="json"))
        )

    @classmethod
    def load(cls, storage: Storage, job_id: UUID, attempt: int) -> Self:
        return cls.model_validate_json(storage.read(keys.work(job_id, attempt, "layout.json")))


def write_parts(
    resources: Resources,
    context: WorkContext,
    file_key: str,
    file_name: str,
    *,
    format_: str = "auto",
    roles: dict[str, ColumnRole] | None = None,
    rows_per_part: int | None = None,
) -> tuple[list[ChunkSpec], Layout]:
    """Read the file twice, never holding it: count rows, then write parts of equal size.

    Each part is a blob `work/<job>/<attempt>/parts/<n>.parquet` with the columns `__row__` (int64),
    `__reason__` (why the row cannot be used) and one string column per column of the file.
    Raises InvalidInput when there is no data row or no structure column.
    """
    count, columns, kind, notes = _survey(resources, context, file_key, file_name, format_, roles)
    size = rows_per_part or max(_MIN_ROWS_PER_PART, -(-count // MAX_CHUNKS))
    if -(-count // size) > MAX_CHUNKS:
        size = -(-count // MAX_CHUNKS)
    layout = Layout(format=kind, columns=columns, rows=count, rows_per_part=size, notes=notes)
    specs = []
    names = [column["name"] for column in columns]
    with open_table(
        resources.storage, file_key, file_name, resources.settings, format_=format_
    ) as table:
        for number, batch in enumerate(_batches(table.rows, size)):
            context.raise_if_cancelled()
            key = keys.work(context.job_id, context.attempt, f"parts/{number:05d}.parquet")
            _write_part(resources.storage, key, batch, names)
            specs.append(ChunkSpec(source={"key": key}, start_row=0, stop_row=len(batch)))
            context.progress(batch[-1].row, count, stage="read", message="cutting into parts")
    layout.save(resources.storage, context.job_id, context.attempt)
    return specs, layout


def read_part(storage: Storage, spec: ChunkSpec) -> list[dict[str, Any]]:
    """The rows [start_row, stop_row) of a part, as dicts of its columns."""
    table = pq.read_table(storage.local_path(spec.source["key"]))
    rows: list[dict[str, Any]] = table.slice(
        spec.start_row, spec.stop_row - spec.start_row
    ).to_pylist()
    return rows


def _survey(
    resources: Resources,
    context: WorkContext,
    key: str,
    name: str,
    format_: str,
    roles: dict[str, ColumnRole] | None,
) -> tuple[int, list[Column], str, list[str]]:
    """First pass: the number of rows, and roles from the first of them."""
    with open_table(resources.storage, key, name, resources.settings, format_=format_) as table:
        sample = list(islice(table.rows, _SAMPLE_ROWS))
        if not sample:
            raise InvalidInput(
                "the file has a header but no data row",
                code="no_rows",
                remedy="Add at least one row below the header.",
            )
        columns = guess_columns(table.columns, [row.cells for row in sample], roles or {})
        count = 0
        for row in chain(sample, table.rows):
            count = row.row
            if count % 100_000 == 0:
                context.raise_if_cancelled()
        return count, columns, table.format, table.notes


def _batches(rows: Iterator[SourceRow], size: int) -> Iterator[list[SourceRow]]:
    while batch := list(islice(rows, size)):
        yield batch


def _write_part(
    storage: Storage, key: str, batch: Sequence[SourceRow], names: Sequence[str]
) -> None:
    arrays: dict[str, Any] = {
        "__row__": pa.array([row.row for row in batch], pa.int64()),
        "__reason__": pa.array([row.reason for row in batch], pa.string()),
    }
    for name in names:
        arrays[name] = pa.array([row.cells.get(name) for row in batch], pa.string())
    with storage.writer(key) as stream:
        pq.write_table(pa.table(arrays), stream, compression="zstd")


def structure_of(row: dict[str, Any], layout: Layout) -> Any:
    """Standardize the row's structure: `Standardized`, or the reason (str) why there is none."""
    from app.chem.standardize import ChemistryError, standardize, standardize_molblock

    if row["__reason__"] is not None:
        return row["__reason__"]
    text = row[layout.structure] or ""
    try:
        return standardize_molblock(text) if layout.structure == STRUCTURE else standardize(text)
    except ChemistryError as error:
        return str(error)


def shown_structure(row: dict[str, Any], layout: Layout) -> str:
    """What a person recognises the refused row by: its SMILES, or the title of its Mol block."""
    text: str = row[layout.structure] or ""
    return text.split("\n", 1)[0].strip() if layout.structure == STRUCTURE else text
