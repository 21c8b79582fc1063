"""predict: a model over every row of a file, in input order, one row out for each row in."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.core.errors import FieldError, InvalidInput
from app.core.work import ChunkResult, ChunkSpec, FanOut, Outcome, WorkContext
from app.datasets.columns import STRUCTURE
from app.datasets.parts import MAX_CHUNKS, PASSING, Layout, read_passing, write_parts
from app.models.blocks import BLOCK_ROWS
from app.models.bundle import ModelBundle
from app.prediction.artifacts import Artifacts
from app.prediction.chunk import Keeper, answered
from app.prediction.chunk_sizes import chunk_sizes
from app.prediction.cost import cost_of, processes_of
from app.prediction.inputs import check_columns
from app.prediction.loading import model_cache
from app.prediction.params import PredictParams
from app.prediction.prepared import (
    Prepared,
    PreparedPart,
    can_be_prepared,
    keep,
    prepared_key,
)
from app.prediction.results import part_key, schema_of, unanswered
from app.prediction.sdf import sdf_text
from app.prediction.source import source_of
from app.resources import Resources

_QUEUE = "predict"
#: of what a row costs; from there on a block that is cut costs more than a chunk that is uneven
_SHARE = 0.1
#: rows that a reader of a range holds at once
_ROW_GROUP = 10_000


def plan(resources: Resources, context: WorkContext, params: PredictParams) -> FanOut:
    """Chunks of the file's features where the cache has them, else of the file."""
    bundle = _bundle(resources, params)
    if "sdf" in params.formats and not bundle.needs_structures:
        raise InvalidInput(
            "the rows of a table have no structures for an SDF",
            code="format_does_not_fit",
            remedy="Ask for csv or parquet.",
        )
    file, options = source_of(resources, params, bundle)
    key = None
    if params.cache and resources.settings.prepared_bytes and can_be_prepared(bundle):
        key = prepared_key(resources.settings, file, options, bundle)
        prepared = Prepared.find(resources.storage, key)
        # coordinates are in the file only
        if prepared is not None and not _needs_blocks(params, prepared.layout):
            return _of_features(resources, context, params, bundle, prepared)
    specs, layout = write_parts(
        resources,
        context,
        file.storage_key,
        file.name,
        options=options,
        rows_per_part=params.chunk_rows,
        sizes=partial(_sizes, resources, context, params, bundle, featurized=False),
    )
    check_columns(bundle, layout)
    if key is None:
        return FanOut(chunks=specs)
    return FanOut(
        chunks=[
            ChunkSpec(
                source={**spec.source, "prepare": key},
                start_row=spec.start_row,
                stop_row=spec.stop_row,
            )
            for spec in specs
        ]
    )


def _needs_blocks(params: PredictParams, layout: Layout) -> bool:
    return "sdf" in params.formats and layout.structure == STRUCTURE


def _of_features(
    resources: Resources,
    context: WorkContext,
    params: PredictParams,
    bundle: ModelBundle,
    prepared: Prepared,
) -> FanOut:
    prepared.layout.save(resources.storage, context.job_id, context.attempt)
    rows = prepared.rows
    sizes: Sequence[int]
    if params.chunk_rows is None:
        sizes = _sizes(resources, context, params, bundle, rows, featurized=True)
    else:
        size = max(params.chunk_rows, -(-rows // MAX_CHUNKS))
        sizes = [min(size, rows - start) for start in range(0, rows, size)]
    chunks, start = [], 0
    for size in sizes:
        source = {"prepared": prepared.key}
        chunks.append(ChunkSpec(source=source, start_row=start, stop_row=start + size))
        start += size
    return FanOut(chunks=chunks)


def _sizes(
    resources: Resources,
    context: WorkContext,
    params: PredictParams,
    bundle: ModelBundle,
    rows: int,
    *,
    featurized: bool,
) -> list[int]:
    of = resources.database, context.project_id, _model_id(params), bundle
    cost = cost_of(*of, featurized=featurized)
    workers = processes_of(resources, _QUEUE)
    unit = BLOCK_ROWS
    if bundle.needs_structures and not featurized:
        # what is dear to featurize is spread over all workers, though blocks are computed twice
        predicting = cost_of(*of, featurized=True)
        unit = unit if predicting.seconds_per_row > _SHARE * cost.seconds_per_row else 1
    sizes = chunk_sizes(rows, cost.seconds_per_row, workers, unit)
    context.event(
        "division",
        {
            "rows": rows,
            "chunks": len(sizes),
            "milliseconds_per_row": round(1000 * cost.seconds_per_row, 4),
            "measured_by": cost.how,
            "processes": workers,
        },
    )
    return sizes


def run_chunk(
    resources: Resources, context: WorkContext, params: PredictParams, chunk: ChunkSpec
) -> dict[str, Any]:
    """Predict the chunk's rows into a Parquet part; only its key and counts are given back."""
    bundle = _bundle(resources, params)
    started = time.perf_counter()
    storage = resources.storage
    key, sdf_key = part_key(context, chunk, "parquet"), part_key(context, chunk, "sdf")
    tables: list[pa.Table] = []
    failed = 0
    with ExitStack() as stack:
        keeper = None
        if "prepare" in chunk.source:
            keeper = stack.enter_context(Keeper(storage, chunk.source["prepare"], bundle))
        sdf = None
        if "sdf" in params.formats:
            sdf = stack.enter_context(storage.writer(sdf_key))
        for step in answered(resources, context, chunk, bundle, keeper):
            tables.append(step.table)
            failed += step.failed
            if sdf is not None:
                sdf.write(sdf_text(step.table, step.blocks).encode())
    table = pa.concat_tables(tables)
    with storage.writer(key) as stream:
        pq.write_table(table, stream, row_group_size=_ROW_GROUP, **PASSING)
    return {
        "key": key,
        "rows": len(table),
        "failed": failed,
        "seconds": round(time.perf_counter() - started, 4),
        "featurized": "prepared" in chunk.source,
        **({"sdf": sdf_key} if sdf is not None else {}),
        **({"prepared": keeper.name} if keeper is not None and keeper.whole else {}),
    }


def finalize(
    resources: Resources,
    context: WorkContext,
    params: PredictParams,
    results: Sequence[ChunkResult],
) -> Outcome:
    """Parts in order into the files that were asked for and rejected.csv, streamed."""
    started = time.monotonic()
    storage = resources.storage
    layout = Layout.load(storage, context.job_id, context.plan_attempt)
    bundle = _bundle(resources, params)
    artifacts = Artifacts(storage, context, schema_of(bundle), params.formats)
    with artifacts:
        for result in results:
            context.raise_if_cancelled()
            if result.state == "succeeded":
                table = read_passing(storage, result.result["key"])
                artifacts.add(table, result.result.get("sdf"))
            else:
                artifacts.add(unanswered(storage, bundle, layout, result), None)
    _check(layout, artifacts)
    files = artifacts.finish(_manifest(params, bundle, artifacts))
    _keep_features(resources, layout, results)
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
            "cached_features": any("prepared" in result.spec.source for result in results),
            "cpu_seconds": round(sum(r.result.get("seconds", 0.0) for r in results), 3),
            "finalize_seconds": round(time.monotonic() - started, 2),
        },
        counts=counts,
        commit=lambda session: session.add_all(files),
    )


def _keep_features(resources: Resources, layout: Layout, results: Sequence[ChunkResult]) -> None:
    """What the chunks have featurized becomes an entry of the cache, when all of it is there."""
    names = [result.result.get("prepared") for result in results]
    if not results or not all(names):
        return
    prepared = Prepared(
        key=results[0].spec.source["prepare"],
        layout=layout,
        parts=tuple(
            PreparedPart(name=str(name), rows=result.result["rows"])
            for name, result in zip(names, results, strict=True)
        ),
    )
    keep(resources.storage, prepared, resources.settings.prepared_bytes)


def _bundle(resources: Resources, params: PredictParams) -> ModelBundle:
    return model_cache(resources).get(_model_id(params))


def _model_id(params: PredictParams) -> Any:
    if params.model_id is None:
        raise InvalidInput("a predict job needs a model")
    return params.model_id


def _check(layout: Layout, artifacts: Artifacts) -> None:
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


def _manifest(params: PredictParams, bundle: ModelBundle, artifacts: Artifacts) -> dict[str, Any]:
    return {
        "model_id": str(params.model_id),
        "model": bundle.manifest.name,
        "params": params.model_dump(mode="json"),
        "rows": artifacts.rows,
        "refused": artifacts.refused,
        "libraries": bundle.manifest.libraries,
    }
