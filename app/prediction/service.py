"""predict: a model over every row of a file, in input order, one row out for each row in."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from app.core.errors import FieldError, InvalidInput
from app.core.work import ChunkResult, ChunkSpec, FanOut, Outcome, WorkContext
from app.datasets.parts import (
    Layout,
    read_part,
    shown_structure,
    write_parts,
)
from app.features.matrix import molecule_cache
from app.models.bundle import BundlePredictions, ModelBundle
from app.prediction.answers import answer_columns
from app.prediction.artifacts import Artifacts
from app.prediction.inputs import check_columns, predict_part
from app.prediction.loading import model_cache
from app.prediction.params import PredictParams
from app.prediction.source import source_of
from app.resources import Resources
from app.storage import keys

#: molecules per step: bounds memory, and how late a cancel is noticed
_STEP = 500


def plan(resources: Resources, context: WorkContext, params: PredictParams) -> FanOut:
    bundle = _bundle(resources, params)
    file, options = source_of(resources, params, bundle)
    specs, layout = write_parts(
        resources,
        context,
        file.storage_key,
        file.name,
        options=options,
        rows_per_part=params.chunk_rows,
    )
    check_columns(bundle, layout)
    return FanOut(chunks=specs)


def run_chunk(
    resources: Resources, context: WorkContext, params: PredictParams, chunk: ChunkSpec
) -> dict[str, Any]:
    """Predict the chunk's rows into a Parquet part; only its key and counts are given back."""
    layout = Layout.load(resources.storage, context.job_id, context.plan_attempt)
    bundle = _bundle(resources, params)
    cache = molecule_cache(resources)
    key = _part_key(context, chunk)
    rows = read_part(resources.storage, chunk)
    failed = 0
    tables = []
    for start in range(0, len(rows), _STEP):
        context.raise_if_cancelled()
        batch = rows[start : start + _STEP]
        found = predict_part(bundle, layout, batch, cache)
        failed += sum(reason is not None for reason in found.reasons)
        tables.append(pa.table({**_given(batch, layout), **answer_columns(bundle, found)}))
    with resources.storage.writer(key) as stream:
        pq.write_table(pa.concat_tables(tables), stream, compression="zstd")
    return {"key": key, "rows": len(rows), "failed": failed}


def finalize(
    resources: Resources,
    context: WorkContext,
    params: PredictParams,
    results: Sequence[ChunkResult],
) -> Outcome:
    """Parts in order into predictions.parquet, predictions.csv and rejected.csv, streamed."""
    started = time.monotonic()
    layout = Layout.load(resources.storage, context.job_id, context.plan_attempt)
    bundle = _bundle(resources, params)
    artifacts = Artifacts(resources.storage, context, _schema(bundle))
    with artifacts:
        for result in results:
            context.raise_if_cancelled()
            artifacts.add(_table_of(resources, bundle, layout, result))
    _check(layout, artifacts)
    files = artifacts.finish(_manifest(params, bundle, artifacts))
    counts = {
        "rows_total": artifacts.rows,
        "rows_ok": artifacts.rows - artifacts.refused,
        "rows_failed": artifacts.refused,
    }
    return Outcome(
        result={
            "model_id": str(params.model_id),
            "model": params.model,
            **counts,
            "chunks": len(results),
            "finalize_seconds": round(time.monotonic() - started, 2),
        },
        counts=counts,
        commit=lambda session: session.add_all(files),
    )


def _bundle(resources: Resources, params: PredictParams) -> ModelBundle:
    if params.model_id is None:
        raise InvalidInput("a predict job needs a model")
    return model_cache(resources).get(params.model_id)


def _part_key(context: WorkContext, chunk: ChunkSpec) -> str:
    part = chunk.source["key"].rsplit("/", 1)[1].removesuffix(".parquet")
    name = f"predicted/{part}-{chunk.start_row}-{uuid4().hex[:8]}.parquet"
    return keys.work(context.job_id, context.attempt, name)


def _given(batch: Sequence[dict[str, Any]], layout: Layout) -> dict[str, Any]:
    """What a person knows a row by: its number, identifier and input."""
    ids = layout.names("id")
    return {
        "row": pa.array([row["__row__"] for row in batch], pa.int64()),
        "id": pa.array([row[ids[0]] if ids else None for row in batch], pa.string()),
        "input": pa.array([shown_structure(row, layout) for row in batch], pa.string()),
    }


def _schema(bundle: ModelBundle) -> pa.Schema:
    """Of the whole result, from an empty prediction."""
    empty = answer_columns(bundle, _unpredicted(bundle, []))
    given = {"row": pa.int64(), "id": pa.string(), "input": pa.string()}
    fields = [pa.field(name, type_) for name, type_ in given.items()]
    strings = {"status": pa.string()}
    fields += [pa.field(n, strings.get(n, column.type)) for n, column in empty.items()]
    return pa.schema(fields)


def _table_of(
    resources: Resources, bundle: ModelBundle, layout: Layout, result: ChunkResult
) -> pa.Table:
    """A chunk's part; for a chunk that failed, its rows with the reason."""
    if result.state == "succeeded":
        return pq.read_table(resources.storage.local_path(result.result["key"]))
    batch = read_part(resources.storage, result.spec)
    found = _unpredicted(bundle, [result.reason or "not predicted"] * len(batch))
    return pa.table({**_given(batch, layout), **answer_columns(bundle, found)})


def _unpredicted(bundle: ModelBundle, reasons: list[str]) -> BundlePredictions:
    if bundle.needs_structures:
        return bundle.predict_standardized(reasons)
    return bundle.predict_rows(reasons)


def _check(layout: Layout, artifacts: "Artifacts") -> None:
    if artifacts.rows != layout.rows:
        raise RuntimeError(f"{layout.rows} rows in, {artifacts.rows} rows out")
    if artifacts.refused == artifacts.rows:
        reasons = [
            FieldError(pointer=f"row {r}", code="refused", detail=why)
            for r, why in artifacts.first_refusals
        ]
        raise InvalidInput(
            f"none of the {artifacts.rows} rows could be predicted",
            code="rows_refused",
            remedy="Mend what the reasons name."
            if layout.structure is None
            else f"The structures were read from column {layout.structure!r}; name another one by "
            "smiles_column.",
            errors=reasons,
        )


def _manifest(params: PredictParams, bundle: ModelBundle, artifacts: "Artifacts") -> dict[str, Any]:
    return {
        "model_id": str(params.model_id),
        "model": bundle.manifest.name,
        "params": params.model_dump(mode="json"),
        "rows": artifacts.rows,
        "refused": artifacts.refused,
        "libraries": bundle.manifest.libraries,
    }
