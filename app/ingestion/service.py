"""ingest: a raw file becomes an immutable data set, every row accounted for.

`rows_in = rows_ok + rows_rejected + rows_merged`, always. Columns of clean.parquet: `row` (number
in the file, the first one of replicates), of molecules `smiles` (standardized) and `input_smiles`,
`n_merged`, `merged_rows`, then targets and features (float64 for numbers, timestamp for dates, text
for classes), identifier and split columns. replicates.parquet: how far merged values lie apart.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from app.core.errors import FieldError, InvalidInput, NotFound
from app.core.hashing import sha256_of_stream
from app.core.work import ChunkResult, ChunkSpec, FanOut, Outcome, WorkContext
from app.datasets.cells import read_cell
from app.datasets.columns import Column
from app.datasets.params import IngestParams
from app.datasets.parts import (
    Layout,
    ReadingOptions,
    read_part,
    shown_structure,
    structures_of,
    write_parts,
)
from app.datasets.personal import keep_sealed
from app.datasets.replicates import FILE as REPLICATES
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.ingestion.clean import write_clean
from app.ingestion.merging import Replicates, Rule, identities_beside, row_identities
from app.ingestion.page import Source, render_page
from app.ingestion.refusals import Tally, write_rejected
from app.ingestion.report import build_report
from app.ingestion.staging import Staged, refusal
from app.resources import Resources
from app.storage import Storage, keys

_SHOWN_REASONS = 5


def plan(resources: Resources, context: WorkContext, params: IngestParams) -> FanOut:
    with resources.database.session() as session:
        file = session.get(FileRow, params.file_id)
    if file is None:
        raise NotFound(f"there is no file {params.file_id}")
    if params.personal:
        keep_sealed(resources.storage, file.storage_key)
    specs, layout = write_parts(
        resources,
        context,
        file.storage_key,
        file.name,
        options=ReadingOptions.of(params),
    )
    for note in layout.notes:
        if note not in ("gzip", "zip"):
            context.warn("reading", note)
    return FanOut(chunks=specs)


def run_chunk(
    resources: Resources, context: WorkContext, params: IngestParams, chunk: ChunkSpec
) -> dict[str, Any]:
    """Standardize the chunk's rows and read their targets."""
    del params
    storage = resources.storage
    layout = Layout.load(storage, context.job_id, context.plan_attempt)
    staged = Staged(
        molecules=layout.structure is not None,
        values=_with_role(layout, "target", "feature", "weight"),
        kept=_with_role(layout, "id", "split"),
    )
    rows = read_part(storage, chunk)
    pairs = zip(rows, structures_of(rows, layout), strict=True)
    for number, (row, structure) in enumerate(pairs):
        if number % 200 == 0:
            context.raise_if_cancelled()
        _stage(staged, layout, row, structure)
    stem = f"staged/{chunk.source['key'].rsplit('/', 1)[1][:5]}-{chunk.start_row}"
    key = keys.work(context.job_id, context.attempt, f"{stem}.parquet")
    with storage.writer(key) as stream:
        pq.write_table(staged.table(), stream, compression="zstd")
    refused_key = keys.work(context.job_id, context.attempt, f"{stem}.refused.json")
    storage.write(refused_key, orjson.dumps([refused.__dict__ for refused in staged.refused]))
    return {
        "key": key,
        "refused_key": refused_key,
        "ok": len(staged.rows),
        "changes": staged.changes,
        "elements": staged.elements,
        "bad_cells": staged.bad_cells,
    }


def finalize(
    resources: Resources,
    context: WorkContext,
    params: IngestParams,
    results: Sequence[ChunkResult],
) -> Outcome:
    storage = resources.storage
    layout = Layout.load(storage, context.job_id, context.plan_attempt)
    dataset_id = _dataset_id(params)

    def key(name: str) -> str:
        return keys.dataset(dataset_id, context.attempt, name)

    refused = write_rejected(storage, key("rejected.csv"), layout, results)
    _check_share(layout, refused, params)
    replicates = Replicates(
        targets=_with_role(layout, "target"),
        weights=_with_role(layout, "weight"),
        identities=row_identities
        if layout.structure is None
        else identities_beside(_with_role(layout, "feature")),
        rule=_rule(layout, params),
    )
    ok, shapes = write_clean(storage, key("clean.parquet"), replicates, results, context)
    with storage.writer(key(REPLICATES)) as stream:
        pq.write_table(replicates.spreads.table(), stream, compression="zstd")
    counts = _account(layout.rows, ok, refused.rows)
    report = build_report(
        storage=storage,
        said=params.roles,
        personal=params.personal,
        layout=layout,
        counts=counts,
        refused=refused,
        replicates=replicates,
        results=results,
        clean=storage.local_path(key("clean.parquet")),
        shapes=shapes,
    )
    sha256 = _write_rest(resources, context, params, report)
    return _outcome(dataset_id, counts, layout, report, sha256, context)


# ---- chunks


def _stage(staged: Staged, layout: Layout, row: dict[str, Any], structure: Any) -> None:
    """`structure`: as of `structures_of`."""
    shown = shown_structure(row, layout)
    if isinstance(structure, str):
        staged.refused.append(refusal(row, shown, structure))
        return
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for column in staged.values:
        values[column["name"]], why = read_cell(column, row[column["name"]], layout.decimal)
        if why is not None:
            staged.bad_cells[column["name"]] = staged.bad_cells.get(column["name"], 0) + 1
            if column["role"] == "target":
                wrong.append(why)
        if column["role"] == "weight" and not _is_weight(values[column["name"]]):
            cell = row[column["name"]]
            said = why or f"{column['name']} is a weight, which is 0 or more, not {cell!r}"
            staged.refused.append(refusal(row, shown, said))
            return
    if wrong and all(values[c["name"]] is None for c in staged.values if c["role"] == "target"):
        staged.refused.append(refusal(row, shown, "; ".join(wrong)))
    elif layout.structure is None and all(value is None for value in values.values()):
        staged.refused.append(refusal(row, shown, "every cell is empty"))
    else:
        staged.add(row, shown, structure, values)


def _is_weight(value: Any) -> bool:
    """A row without one is refused: nobody knows how much it should count."""
    return isinstance(value, float) and value >= 0


def _with_role(layout: Layout, *roles: str) -> list[Column]:
    return [column for column in layout.columns if column["role"] in roles]


# ---- finalize


def _check_share(layout: Layout, refused: Tally, params: IngestParams) -> None:
    """All rows refused, or more than allowed: say which and why, and make no data set."""
    share = refused.rows / layout.rows
    if share < 1.0 and share <= params.max_bad_fraction:
        return
    common = refused.reasons.most_common(_SHOWN_REASONS)
    errors = [
        FieldError(pointer=f"row {entry.row}", code="refused", detail=entry.reason)
        for entry in refused.first[:_SHOWN_REASONS]
    ]
    read_from = (
        f"The structures were read from column {layout.structure!r}"
        if layout.structure is not None
        else f"The target was read from column {', '.join(map(repr, layout.names('target')))}"
    )
    raise InvalidInput(
        f"{refused.rows} of {layout.rows} rows were refused: "
        + "; ".join(f"{reason} ({number}x)" for reason, number in common),
        code="rows_refused",
        remedy=f"{read_from}; name another one by `roles`, correct the rows, or raise "
        "max_bad_fraction.",
        errors=errors,
    )


def _rule(layout: Layout, params: IngestParams) -> Rule:
    if params.duplicates != "auto":
        return params.duplicates
    return "merge" if layout.structure is not None or layout.names("id") else "keep_all"


def _account(rows_in: int, ok: int, rejected: int) -> dict[str, int]:
    merged = rows_in - ok - rejected
    if merged < 0:
        raise RuntimeError(f"row accounting is wrong: {rows_in} in, {ok} ok, {rejected} rejected")
    return {
        "rows_in": rows_in,
        "rows_ok": ok,
        "rows_rejected": rejected,
        "rows_merged": merged,
    }


def _write_rest(
    resources: Resources, context: WorkContext, params: IngestParams, report: dict[str, Any]
) -> str:
    """report.json, report.html and, last, manifest.json; the SHA-256 of clean.parquet."""
    storage, dataset_id = resources.storage, _dataset_id(params)

    def key(name: str) -> str:
        return keys.dataset(dataset_id, context.attempt, name)

    storage.write(key("report.json"), orjson.dumps(report, option=orjson.OPT_INDENT_2))
    sha256 = _sha256(storage, key("clean.parquet"))
    page = render_page(_source(resources, dataset_id, sha256), report)
    storage.write(key("report.html"), page.encode())
    names = (REPLICATES, "rejected.csv", "report.json", "report.html")
    manifest = {
        "params": params.model_dump(mode="json"),
        "counts": report["counts"],
        "columns": report["columns"],
        "sha256": {"clean.parquet": sha256} | {name: _sha256(storage, key(name)) for name in names},
    }
    storage.write(key("manifest.json"), orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return sha256


def _sha256(storage: Storage, key: str) -> str:
    with storage.open(key) as stream:
        return sha256_of_stream(stream)


def _source(resources: Resources, dataset_id: UUID, sha256: str) -> Source:
    with resources.database.session() as session:
        dataset = session.get_one(DatasetRow, dataset_id)
        file = session.get_one(FileRow, dataset.file_id)
        return Source(
            ref=f"{dataset.name}:{dataset.number}",
            file_name=file.name,
            file_sha256=file.sha256,
            sha256=sha256,
            at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        )


def _dataset_id(params: IngestParams) -> UUID:
    if params.dataset_id is None:
        raise InvalidInput("an ingest job needs the data set that it fills")
    return params.dataset_id


def _outcome(
    dataset_id: UUID,
    counts: dict[str, int],
    layout: Layout,
    report: dict[str, Any],
    sha256: str,
    context: WorkContext,
) -> Outcome:
    manifest_key = keys.dataset(dataset_id, context.attempt, "manifest.json")

    def commit(session: Session) -> dict[str, Any]:
        row = session.get_one(DatasetRow, dataset_id)
        row.kind = layout.kind
        row.columns = [dict(column) for column in layout.columns]
        row.manifest_key = manifest_key
        row.sha256 = sha256
        row.report = report
        for name, value in counts.items():
            setattr(row, name, value)
        return {"dataset_ref": f"{row.name}:{row.number}"}

    return Outcome(
        result={"dataset_id": str(dataset_id), **counts},
        counts={
            "rows_total": counts["rows_in"],
            "rows_ok": counts["rows_ok"],
            "rows_failed": counts["rows_rejected"],
            "rows_merged": counts["rows_merged"],
        },
        commit=commit,
    )
