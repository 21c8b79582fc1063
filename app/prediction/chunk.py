"""Predicting one chunk in steps: of its rows, or of their features where the cache has them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from app.core.work import ChunkSpec, WorkContext
from app.datasets.columns import STRUCTURE
from app.datasets.parts import Layout, read_part, structures_of
from app.features.matrix import molecule_cache
from app.models.blocks import BLOCK_ROWS, steps
from app.models.bundle import ModelBundle
from app.prediction.featurized import Featurized, packed, unpacked
from app.prediction.inputs import predict_part
from app.prediction.prepared import Prepared
from app.prediction.results import answer_table, given_columns
from app.resources import Resources
from app.storage import Storage, keys

#: molecules per step: bounds memory, and how late a cancel is noticed
_STEP = 2 * BLOCK_ROWS
#: of rows whose features are at hand: about 8 MB of 2,048 numbers, which are put where those of the
#: step before were
_FEATURIZED_STEP = 4 * BLOCK_ROWS


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A step's rows with what was found, and the Mol blocks that they came as (else nothing)."""

    table: pa.Table
    failed: int
    blocks: list[str] = field(default_factory=list)


def answered(
    resources: Resources,
    context: WorkContext,
    chunk: ChunkSpec,
    bundle: ModelBundle,
    keeper: "Keeper | None",
) -> Iterator[Answered]:
    """The chunk's rows in order, a step at a time."""
    if "prepared" in chunk.source:
        yield from _from_features(resources.storage, context, chunk, bundle)
        return
    layout = Layout.load(resources.storage, context.job_id, context.plan_attempt)
    cache = molecule_cache(resources)
    rows = read_part(resources.storage, chunk)
    with_blocks = layout.structure == STRUCTURE
    first = rows[0]["__row__"] - 1 if rows else 0
    for step in steps(first, len(rows), _STEP):
        context.raise_if_cancelled()
        batch = rows[step]
        given = given_columns(batch, layout)
        if keeper is None:
            found = predict_part(bundle, layout, batch, cache)
        else:
            structures = structures_of(batch, layout)
            featurized = Featurized.of(bundle.features.feature_set, given, structures, cache)
            keeper.add(featurized)
            found = featurized.predicted(bundle)
        yield Answered(
            table=answer_table(bundle, given, found),
            failed=_failed(found.reasons),
            blocks=[row[STRUCTURE] or "" for row in batch] if with_blocks else [],
        )


def _from_features(
    storage: Storage, context: WorkContext, chunk: ChunkSpec, bundle: ModelBundle
) -> Iterator[Answered]:
    prepared = Prepared.load(storage, chunk.source["prepared"])
    start, stop = chunk.start_row, chunk.stop_row
    for table in prepared.tables(storage, start, stop, _FEATURIZED_STEP, None):
        context.raise_if_cancelled()
        rows = unpacked(table, bundle.features.feature_set)
        found = rows.predicted(bundle)
        yield Answered(table=answer_table(bundle, rows.given, found), failed=_failed(found.reasons))


def _failed(reasons: list[str | None]) -> int:
    return sum(reason is not None for reason in reasons)


class Keeper:
    """Packs the features of a chunk's rows into a part of the cache, as a context manager; nothing
    is left when the block raises.
    """

    def __init__(self, storage: Storage, prepared_key: str, bundle: ModelBundle) -> None:
        #: of the part, below the entry
        self.name = f"{uuid4().hex}.parquet"
        #: all rows could be packed
        self.whole = True
        self._key = keys.prepared(prepared_key, self.name)
        self._storage = storage
        self._feature_set = bundle.features.feature_set
        self._stack = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> Self:
        self._stream = self._stack.enter_context(self._storage.writer(self._key))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        self._stack.__exit__(kind, error, trace)

    def add(self, rows: Featurized) -> None:
        table = packed(rows, self._feature_set) if self.whole else None
        if table is None:
            self.whole = False
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._stream,
                table.schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=False,
                write_statistics=False,
            )
        self._writer.write_table(table)
