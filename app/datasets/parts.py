"""A raw file cut into Parquet parts, one per chunk: what ingest and batch prediction begin with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Literal, Self
from uuid import UUID

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from app.core.errors import InvalidInput
from app.core.work import ChunkSpec, WorkContext
from app.datasets.columns import STRUCTURE, Column, DatasetKind, guess_columns, kind_of
from app.datasets.numbers import Decimal
from app.datasets.params import ColumnRole
from app.datasets.reading import SourceRow, open_table
from app.resources import Resources
from app.storage import Storage, keys

MAX_CHUNKS = 200
#: rows that roles are guessed from
SAMPLE_ROWS = 500
_MIN_ROWS_PER_PART = 1000
#: of a table's row, when it has no identifier: so many cells, so many characters of each
_CELLS_SHOWN = 5
_CELL_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How a person says that a file is to be read; what is left out is guessed."""

    format: str = "auto"
    kind: Literal["auto", "molecule", "table"] = "auto"
    roles: dict[str, ColumnRole] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)


class Layout(BaseModel):
    """How a file was read; stored beside its parts, for chunks and finalize."""

    model_config = ConfigDict(frozen=True)

    format: str
    #: molecule | table
    kind: DatasetKind = "molecule"
    #: how its numbers are written
    decimal: Decimal = "."
    columns: list[Column]
    rows: int
    rows_per_part: int
    notes: list[str]

    def names(self, role: ColumnRole) -> list[str]:
        return [column["name"] for column in self.columns if column["role"] == role]

    @property
    def structure(self) -> str | None:
        """The column of structures; None in a table without molecules."""
        return next(iter(self.names("smiles")), None)

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
    options: ReadingOptions,
    rows_per_part: int | None = None,
) -> tuple[list[ChunkSpec], Layout]:
    """Read the file twice, never holding it: count rows, then write parts of equal size.

    Each part is a blob `work/<job>/<attempt>/parts/<n>.parquet` with the columns `__row__` (int64),
    `__reason__` (why the row cannot be used) and one string column per column of the file.
    Raises InvalidInput when there is no data row, or no column to work on (guess_columns).
    """
    layout = _survey(resources, context, file_key, file_name, options)
    count = layout.rows
    size = rows_per_part or max(_MIN_ROWS_PER_PART, -(-count // MAX_CHUNKS))
    if -(-count // size) > MAX_CHUNKS:
        size = -(-count // MAX_CHUNKS)
    layout = layout.model_copy(update={"rows_per_part": size})
    specs = []
    names = [column["name"] for column in layout.columns]
    with open_table(
        resources.storage, file_key, file_name, resources.settings, format_=options.format
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
    resources: Resources, context: WorkContext, key: str, name: str, options: ReadingOptions
) -> Layout:
    """First pass: the number of rows, and columns from the first of them."""
    with open_table(
        resources.storage, key, name, resources.settings, format_=options.format
    ) as table:
        sample = list(islice(table.rows, SAMPLE_ROWS))
        if not sample:
            raise InvalidInput(
                "the file has a header but no data row",
                code="no_rows",
                remedy="Add at least one row below the header.",
            )
        columns = guess_columns(
            table.columns,
            [row.cells for row in sample],
            options.roles,
            kind=options.kind,
            units=options.units,
        )
        count = 0
        for row in chain(sample, table.rows):
            count = row.row
            if count % 100_000 == 0:
                context.raise_if_cancelled()
        return Layout(
            format=table.format,
            kind=kind_of(columns),
            columns=columns,
            rows=count,
            rows_per_part=0,
            notes=[*table.notes, *notes_on(columns)],
        )


def notes_on(columns: Sequence[Column]) -> list[str]:
    """What a person should know of the choice of columns."""
    chosen = next((c["name"] for c in columns if c["role"] == "smiles"), None)
    if chosen is None:
        target = ", ".join(c["name"] for c in columns if c["role"] == "target")
        return [f"no column holds molecules: read as a table, target {target}"]
    others = [c["name"] for c in columns if c["type"] == "structure" and c["name"] != chosen]
    if not others:
        return []
    return [f"structures are read from {chosen!r}; {', '.join(map(repr, others))} hold some too"]


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
    """Standardize the row's structure: `Standardized`, or the reason (str) why there is none. Of a
    table: None, or the reason why the row cannot be read.
    """
    from app.chem.standardize import ChemistryError, standardize, standardize_molblock

    if row["__reason__"] is not None or layout.structure is None:
        return row["__reason__"]
    text = row[layout.structure] or ""
    try:
        return standardize_molblock(text) if layout.structure == STRUCTURE else standardize(text)
    except ChemistryError as error:
        return str(error)


def shown_structure(row: dict[str, Any], layout: Layout) -> str:
    """What a person recognises the row by: its SMILES, the title of its Mol block; in a table its
    identifier, else its first cells.
    """
    if layout.structure is None:
        names = layout.names("id") or [c["name"] for c in layout.columns[:_CELLS_SHOWN]]
        return " | ".join((row[name] or "")[:_CELL_SHOWN] for name in names)
    text: str = row[layout.structure] or ""
    return text.split("\n", 1)[0].strip() if layout.structure == STRUCTURE else text
