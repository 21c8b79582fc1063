"""A raw file cut into Parquet parts, one per chunk: what ingest and batch prediction begin with."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
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
from app.datasets.params import ColumnRole, DecimalSign, Personal, ReadParams
from app.datasets.personal import protect, roles_with
from app.datasets.readers.table import sampled
from app.datasets.reading import SourceRow, Table, open_table
from app.resources import Resources
from app.storage import Storage, keys

MAX_CHUNKS = 200
#: rows that roles are guessed from
_SAMPLE_ROWS = 500
_MIN_ROWS_PER_PART = 1000
#: a chunk holds its part: so many characters (and _CELL_WEIGHT a cell) begin a new one
_PART_WEIGHT = 64 * 1024 * 1024
_CELL_WEIGHT = 50
#: of the whole file; above it, half the parts are kept for cutting by weight
_HEAVY = 512 * 1024 * 1024
#: cells that are turned into a row group at once
_WRITE_WEIGHT = 16 * 1024 * 1024
#: of the whole file; up to it, the rows of the first pass are kept for the second
_LIGHT = _WRITE_WEIGHT
#: parts of a light file that are written at a time: the disk is waited for, not the processor
_WRITERS = 4
#: how Parquet is written that is read once and removed with its job: fast rather than small
PASSING: dict[str, Any] = {
    "compression": "lz4",
    "use_dictionary": False,
    "write_statistics": False,
}
#: a structure longer than that is refused anyway, and shown by its beginning
_MAX_SHOWN = 5_000
_SHOWN = 500
#: of a table's row, when it has no identifier: so many cells, so many characters of each
_CELLS_SHOWN = 5
_CELL_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How a person says that a file is to be read; what is left out is guessed."""

    format: str = "auto"
    #: of a workbook; None: the first that is not empty
    sheet: str | None = None
    decimal: DecimalSign = "auto"
    kind: Literal["auto", "molecule", "table"] = "auto"
    roles: dict[str, ColumnRole] = field(default_factory=dict)
    personal: dict[str, Personal] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    #: else rows are only predicted: a table needs no target
    to_learn: bool = True

    @classmethod
    def of(cls, params: ReadParams) -> Self:
        return cls(**{name: getattr(params, name) for name in ReadParams.model_fields})

    def open(self, resources: Resources, key: str, name: str) -> Table:
        """The file as a table, its personal columns protected; see open_table."""
        table = open_table(
            resources.storage,
            key,
            name,
            resources.settings,
            format_=self.format,
            sheet=self.sheet,
            decimal=self.decimal,
        )
        protect(table, self.personal, self.roles, resources.settings.personal_key)
        return table


class Layout(BaseModel):
    """How a file was read; stored beside its parts, for chunks and finalize."""

    model_config = ConfigDict(frozen=True)

    format: str
    #: molecule | table
    kind: DatasetKind = "molecule"
    #: how its numbers are written
    decimal: Decimal = "."
    #: of a text file
    encoding: str | None = None
    #: of a delimited file
    separator: str | None = None
    #: of a workbook
    sheet: str | None = None
    columns: list[Column]
    rows: int
    rows_per_part: int
    notes: list[str]

    def names(self, role: ColumnRole) -> list[str]:
        return [column["name"] for column in self.columns if column["role"] == role]

    @cached_property
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
    sizes: Callable[[int], Sequence[int]] | None = None,
) -> tuple[list[ChunkSpec], Layout]:
    """Read the file twice, never holding it unless it is small: count rows, then write parts of
    equal size, or of the `sizes` that so many rows are to have (smaller ones where rows are huge),
    at most MAX_CHUNKS.

    Each part is a blob `work/<job>/<attempt>/parts/<n>.parquet` with the columns `__row__` (int64),
    `__reason__` (why the row cannot be used) and one string column per column of the file.
    Raises InvalidInput when there is no data row, or no column to work on (guess_columns).
    """
    layout, weight, kept = _survey(resources, context, file_key, file_name, options)
    size, most = _part_size(layout.rows, weight, rows_per_part)
    ends = None
    if sizes is not None and rows_per_part is None and weight <= _HEAVY:
        ends = list(accumulate(sizes(layout.rows)))
        size, most = max(1, layout.rows // len(ends)), _heaviest(weight, len(ends))
    layout = layout.model_copy(update={"rows_per_part": size})
    parts = _PartWriter(resources.storage, context, layout)
    if kept is not None:
        parts.write_together(kept, ends or [*range(size, layout.rows, size), layout.rows])
    else:
        with options.open(resources, file_key, file_name) as table:
            parts.write_streamed(_Rows(table.rows), size if ends is None else ends, most)
    layout.save(resources.storage, context.job_id, context.attempt)
    return parts.specs, layout


def read_part(storage: Storage, spec: ChunkSpec) -> list[dict[str, Any]]:
    """The rows [start_row, stop_row) of a part, as dicts of its columns."""
    table = read_passing(storage, spec.source["key"])
    rows: list[dict[str, Any]] = table.slice(
        spec.start_row, spec.stop_row - spec.start_row
    ).to_pylist()
    return rows


def read_passing(storage: Storage, key: str) -> pa.Table:
    """The whole of a blob that was written with PASSING."""
    with pq.ParquetFile(storage.local_path(key)) as file:
        return file.read(use_threads=False)


def _survey(
    resources: Resources, context: WorkContext, key: str, name: str, options: ReadingOptions
) -> tuple[Layout, int, list[SourceRow] | None]:
    """First pass: columns from the first rows, the number of rows, and what they weigh; the rows
    themselves where they are light.
    """
    with options.open(resources, key, name) as table:
        _, rows, columns = first_look(table, options)
        count = weight = 0
        kept: list[SourceRow] | None = []
        for row in rows:
            count = row.row
            weight += _weight(row)
            if kept is not None:
                kept.append(row)
                kept = kept if weight <= _LIGHT else None
            if count % 100_000 == 0:
                context.raise_if_cancelled()
        layout = Layout(
            format=table.format,
            kind=kind_of(columns),
            decimal=table.decimal,
            encoding=table.encoding,
            separator=table.separator,
            sheet=table.sheet,
            columns=columns,
            rows=count,
            rows_per_part=0,
            notes=[*table.notes, *notes_on(columns)],
        )
        return layout, weight, kept


def first_look(
    table: Table, options: ReadingOptions
) -> tuple[list[SourceRow], Iterator[SourceRow], list[Column]]:
    """The first rows, all rows, and what the columns are for as the first rows show it.

    Raises InvalidInput for a table without rows, and what guess_columns raises.
    """
    sample, rows = sampled(table.rows, _SAMPLE_ROWS)
    if not sample:
        raise InvalidInput(
            "the file has a header but no data row",
            code="no_rows",
            remedy="Add at least one row below the header.",
        )
    columns = guess_columns(
        table.columns,
        [row.cells for row in sample],
        roles_with(options.personal, options.roles),
        kind=options.kind,
        decimal=table.decimal,
        units=options.units,
        to_learn=options.to_learn,
    )
    return sample, rows, columns


def notes_on(columns: Sequence[Column]) -> list[str]:
    """What a person should know of the choice of columns."""
    chosen = next((c["name"] for c in columns if c["role"] == "smiles"), None)
    if chosen is None:
        targets = ", ".join(c["name"] for c in columns if c["role"] == "target")
        return [f"no column holds molecules: read as a table, target {targets}"] if targets else []
    others = [c["name"] for c in columns if c["type"] == "structure" and c["name"] != chosen]
    if not others:
        return []
    return [f"structures are read from {chosen!r}; {', '.join(map(repr, others))} hold some too"]


def _weight(row: SourceRow) -> int:
    return sum(map(len, row.cells.values())) + _CELL_WEIGHT * len(row.cells)


def _part_size(count: int, weight: int, asked: int | None) -> tuple[int, int]:
    """(rows, weight) at which a part ends, so that there are at most MAX_CHUNKS."""
    by_rows = MAX_CHUNKS // 2 if weight > _HEAVY else MAX_CHUNKS
    size = max(asked or _MIN_ROWS_PER_PART, -(-count // by_rows))
    return size, _heaviest(weight, -(-count // size))


def _heaviest(weight: int, parts: int) -> int:
    """What a part may weigh, where so many are cut by rows."""
    spare = MAX_CHUNKS - parts
    # each part cut by weight is heavier than that, so there are fewer than weight / most
    return max(_PART_WEIGHT, -(-weight // spare)) if spare > 0 else weight + 1


def _up_to(ends: Sequence[int], given: int) -> int:
    """Rows until the next end; a part that was cut by weight is followed by its rest."""
    return ends[bisect_right(ends, given)] - given


class _Rows:
    """Gives the rows of one part after the other, each read once."""

    def __init__(self, rows: Iterator[SourceRow]) -> None:
        self._rows = rows
        self._next = next(rows, None)
        self.given = 0

    def left(self) -> bool:
        return self._next is not None

    def part(self, size: int, most: int) -> Iterator[SourceRow]:
        """At most `size` rows; it ends after the row that makes it weigh more than `most`."""
        number = weight = 0
        while self._next is not None and number < size and weight <= most:
            row, self._next = self._next, next(self._rows, None)
            number, weight, self.given = number + 1, weight + _weight(row), row.row
            yield row


class _PartWriter:
    def __init__(self, storage: Storage, context: WorkContext, layout: Layout) -> None:
        self.specs: list[ChunkSpec] = []
        self._storage = storage
        self._context = context
        self._rows = layout.rows
        self._names = [column["name"] for column in layout.columns]
        fields: list[pa.Field[Any]] = [pa.field("__row__", pa.int64())]
        fields += [pa.field(name, pa.string()) for name in ("__reason__", *self._names)]
        self._schema = pa.schema(fields)

    def write_together(self, rows: list[SourceRow], ends: Sequence[int]) -> None:
        """Light rows, in parts up to each of `ends`; several are written at a time."""
        with ThreadPoolExecutor(_WRITERS) as pool:
            writing = [
                pool.submit(self._write, self._key(number), [rows[start:stop]])
                for number, (start, stop) in enumerate(pairwise([0, *ends]))
            ]
            for stop, written in zip(ends, writing, strict=True):
                self._add(written.result(), stop)

    def write_streamed(self, rows: "_Rows", size: int | Sequence[int], most: int) -> None:
        """Parts of `size` rows, or up to each of its ends; smaller ones where rows are heavy."""
        while rows.left():
            asked = size if isinstance(size, int) else _up_to(size, rows.given)
            batches = _batches(rows.part(asked, most))
            self._add(self._write(self._key(len(self.specs)), batches), rows.given)

    def _key(self, number: int) -> str:
        name = f"parts/{number:05d}.parquet"
        return keys.work(self._context.job_id, self._context.attempt, name)

    def _write(self, key: str, batches: Iterable[Sequence[SourceRow]]) -> ChunkSpec:
        """A row group at a time, so that huge cells are not held twice."""
        written = 0
        with (
            self._storage.writer(key) as stream,
            pq.ParquetWriter(stream, self._schema, **PASSING) as writer,
        ):
            for batch in batches:
                writer.write_table(_arrow(batch, self._names, self._schema))
                written += len(batch)
        return ChunkSpec(source={"key": key}, start_row=0, stop_row=written)

    def _add(self, part: ChunkSpec, rows: int) -> None:
        """`rows`: of the file, as far as they are written."""
        self.specs.append(part)
        self._context.progress(rows, self._rows, stage="read", message="cutting into parts")
        self._context.raise_if_cancelled()


def _batches(rows: Iterator[SourceRow]) -> Iterator[list[SourceRow]]:
    batch: list[SourceRow] = []
    weight = 0
    for row in rows:
        batch.append(row)
        weight += _weight(row)
        if weight > _WRITE_WEIGHT:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _arrow(batch: Sequence[SourceRow], names: Sequence[str], schema: pa.Schema) -> pa.Table:
    columns: list[list[Any]] = [[row.row for row in batch], [row.reason for row in batch]]
    columns += ([row.cells.get(name) for row in batch] for name in names)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def structures_of(rows: Iterable[dict[str, Any]], layout: Layout) -> Iterator[Any]:
    """Of each row its structure: `Standardized`, or the reason (str) why there is none. Of a
    table: None, or the reason why the row cannot be read.
    """
    from app.chem.standardize import molblock_or_reason, standardized_or_reason

    column = layout.structure
    read = molblock_or_reason if column == STRUCTURE else standardized_or_reason
    for row in rows:
        reason = row["__reason__"]
        yield reason if reason is not None or column is None else read(row[column] or "")


def shown_structure(row: dict[str, Any], layout: Layout) -> str:
    """What a person recognises the row by: its SMILES, the title of its Mol block; in a table its
    identifier, else its first cells.
    """
    if layout.structure is None:
        names = layout.names("id") or [c["name"] for c in layout.columns[:_CELLS_SHOWN]]
        return " | ".join((row[name] or "")[:_CELL_SHOWN] for name in names)
    text: str = row[layout.structure] or ""
    if layout.structure == STRUCTURE:
        text = title_of(text)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"


def title_of(block: str) -> str:
    """The first line of a Mol block, the second of a mol2 block."""
    lines = block.split("\n", 2)
    return lines[1 if block.startswith("@") and len(lines) > 1 else 0].strip()
