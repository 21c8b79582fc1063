"""clean.parquet: the staged parts one after the other, replicates merged, never held at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.core.work import ChunkResult, WorkContext
from app.datasets.fingerprints import hash_texts
from app.datasets.row_groups import RowGroups
from app.ingestion.merging import Replicates
from app.ingestion.staging import HEAVY_ATOMS, SCAFFOLD
from app.storage import Storage

#: rows of a row group, whatever the chunks were: the same file gives the same bytes
_GROUP_ROWS = 5_000


@dataclass(kw_only=True)
class Shapes:
    """Of each kept molecule 12 bytes: a hash of its scaffold, and its number of heavy atoms."""

    scaffolds: list[NDArray[np.uint64]] = field(default_factory=list)
    heavy_atoms: list[NDArray[np.int32]] = field(default_factory=list)

    def add(self, part: pa.Table) -> None:
        if SCAFFOLD not in part.column_names:
            return
        column: Any = part.column(SCAFFOLD)
        coded = column.fill_null("").combine_chunks().dictionary_encode()
        hashes = hash_texts(coded.dictionary.to_pylist())
        self.scaffolds.append(hashes[coded.indices.to_numpy()])
        self.heavy_atoms.append(part.column(HEAVY_ATOMS).to_numpy().astype(np.int32))


def staged_parts(storage: Storage, results: Sequence[ChunkResult]) -> Iterator[pa.Table]:
    """In the order of the file."""
    for result in in_file_order(results):
        if result.state == "succeeded":
            yield pq.read_table(storage.local_path(result.result["key"]))


def in_file_order(results: Sequence[ChunkResult]) -> list[ChunkResult]:
    """Chunks that were divided after a crash come last by number, not by row."""
    return sorted(results, key=lambda result: (result.spec.source["key"], result.spec.start_row))


def write_clean(
    storage: Storage,
    key: str,
    replicates: Replicates,
    results: Sequence[ChunkResult],
    context: WorkContext,
) -> tuple[int, Shapes]:
    """Up to three passes over the parts: count, collect, merge. Its number of rows, and their
    shapes.
    """
    if replicates.rule != "keep_all":
        for part in staged_parts(storage, results):
            context.raise_if_cancelled()
            replicates.count(part)
    if replicates.rule == "merge":
        start = 0
        for part in staged_parts(storage, results):
            replicates.collect(part, start)
            start += len(part)
    shapes = Shapes()
    schema = _schema(replicates, next(staged_parts(storage, results)))
    with (
        storage.writer(key) as stream,
        pq.ParquetWriter(stream, schema, compression="zstd") as writer,
        RowGroups(writer, _GROUP_ROWS) as groups,
    ):
        written = 0
        for table in _merged(storage, replicates, results, shapes, context):
            groups.add(table)
            written += len(table)
    return written, shapes


def _merged(
    storage: Storage,
    replicates: Replicates,
    results: Sequence[ChunkResult],
    shapes: Shapes,
    context: WorkContext,
) -> Iterator[pa.Table]:
    start = 0
    for part in staged_parts(storage, results):
        context.raise_if_cancelled()
        table = replicates.merge(part, start)
        start += len(part)
        shapes.add(table)
        yield _without_shapes(table)


def _schema(replicates: Replicates, part: pa.Table) -> Any:
    return _without_shapes(replicates.merge(part.slice(0, 0), 0)).schema


def _without_shapes(table: pa.Table) -> pa.Table:
    return table.drop_columns([n for n in (SCAFFOLD, HEAVY_ATOMS) if n in table.column_names])


def staged_scaffolds(storage: Storage, results: Sequence[ChunkResult]) -> Iterator[list[str]]:
    """The different scaffolds of each part."""
    for result in in_file_order(results):
        if result.state == "succeeded":
            path = storage.local_path(result.result["key"])
            texts: Any = pq.read_table(path, columns=[SCAFFOLD]).column(0).drop_null()
            yield texts.unique().to_pylist()
