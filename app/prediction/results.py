"""What a chunk leaves: Parquet of its rows, and SDF where that is asked for."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pyarrow as pa

from app.core.work import ChunkResult, ChunkSpec, WorkContext
from app.datasets.parts import Layout, read_part, shown_structure
from app.models.bundle import BundlePredictions, ModelBundle
from app.prediction.answers import answer_columns
from app.prediction.featurized import GIVEN
from app.prediction.prepared import Prepared
from app.storage import Storage, keys

_GIVEN_TYPES: tuple[pa.DataType, ...] = (pa.int64(), pa.string(), pa.string())


def part_key(context: WorkContext, chunk: ChunkSpec, ending: str) -> str:
    """Another one for each try of a chunk."""
    source = chunk.source.get("key", "rows").rsplit("/", 1)[-1].removesuffix(".parquet")
    name = f"predicted/{source}-{chunk.start_row}-{uuid4().hex[:8]}.{ending}"
    return keys.work(context.job_id, context.attempt, name)


def given_columns(batch: Sequence[dict[str, Any]], layout: Layout) -> dict[str, "pa.Array[Any]"]:
    """What a person knows a row by: its number, identifier and input."""
    ids = layout.names("id")
    columns: tuple[list[Any], ...] = (
        [row["__row__"] for row in batch],
        [row[ids[0]] if ids else None for row in batch],
        [shown_structure(row, layout) for row in batch],
    )
    return {
        name: pa.array(values, type_)
        for name, values, type_ in zip(GIVEN, columns, _GIVEN_TYPES, strict=True)
    }


def schema_of(bundle: ModelBundle) -> pa.Schema:
    """Of the whole result, from an empty prediction."""
    empty = answer_columns(bundle, unpredicted(bundle, []))
    fields = [pa.field(*pair) for pair in zip(GIVEN, _GIVEN_TYPES, strict=True)]
    strings = {"status": pa.string()}
    fields += [pa.field(n, strings.get(n, column.type)) for n, column in empty.items()]
    return pa.schema(fields)


def as_stored(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """With the columns of `schema`; null where a worker of the release before has made none."""
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(schema.names).cast(schema)


def answer_table(
    bundle: ModelBundle, given: dict[str, "pa.Array[Any]"], found: BundlePredictions
) -> pa.Table:
    return pa.table({**given, **answer_columns(bundle, found)})


def unanswered(
    storage: Storage, bundle: ModelBundle, layout: Layout, result: ChunkResult
) -> pa.Table:
    """Of a chunk that failed: its rows with the reason."""
    spec = result.spec
    if "prepared" in spec.source:
        prepared = Prepared.load(storage, spec.source["prepared"])
        tables = prepared.tables(storage, spec.start_row, spec.stop_row, 10_000, list(GIVEN))
        table = pa.concat_tables(tables)
        given = {name: table.column(name).combine_chunks() for name in GIVEN}
    else:
        given = given_columns(read_part(storage, spec), layout)
    reasons = [result.reason or "not predicted"] * (spec.stop_row - spec.start_row)
    return answer_table(bundle, given, unpredicted(bundle, reasons))


def unpredicted(bundle: ModelBundle, reasons: list[str]) -> BundlePredictions:
    if bundle.needs_structures:
        return bundle.predict_standardized(reasons, len(reasons))
    return bundle.predict_rows(reasons)
