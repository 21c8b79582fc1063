"""comparison.json, scores.parquet and comparison.html: the same bytes for the same request."""

import io
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.comparison.page import render_page
from app.comparison.result import Comparison
from app.core.hashing import sha256_of_stream
from app.core.work import WorkContext
from app.db.files import FileRow
from app.storage import Storage, keys

_TYPES = {
    "comparison.json": ("application/json", "comparison"),
    "scores.parquet": ("application/vnd.apache.parquet", "scores"),
    "comparison.html": ("text/html", "report"),
}
_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("candidate", pa.string()),
    pa.field("kind", pa.string()),
    pa.field("repeat", pa.int32()),
    pa.field("fold", pa.int32()),
    pa.field("permutation", pa.int32()),
    pa.field("fraction", pa.float64()),
    pa.field("n_train", pa.int64()),
    pa.field("metric", pa.string()),
    pa.field("target", pa.string()),
    pa.field("value", pa.float64()),
]
_SCHEMA = pa.schema(_FIELDS)


def write_artifacts(
    storage: Storage, context: WorkContext, given: Comparison, found: dict[str, Any]
) -> list[FileRow]:
    """Write them; rows for Postgres."""
    contents = {
        "comparison.json": orjson.dumps(found, option=orjson.OPT_INDENT_2),
        "scores.parquet": scores_table(given),
        "comparison.html": render_page(found).encode(),
    }
    files = []
    for name, content in contents.items():
        media_type, role = _TYPES[name]
        key = keys.comparison(context.job_id, context.attempt, name)
        storage.write(key, content)
        files.append(
            FileRow(
                project_id=context.project_id,
                name=name,
                media_type=media_type,
                size=len(content),
                sha256=sha256_of_stream(io.BytesIO(content)),
                storage_key=key,
                role=role,
                job_id=context.job_id,
            )
        )
    return files


def scores_table(given: Comparison) -> bytes:
    """Every score: candidate, kind (fold, learning_curve, scrambled, baseline), repeat and fold
    (from 0), permutation, fraction, n_train, metric, target, value (null where not defined).
    """
    buffer = io.BytesIO()
    table = pa.Table.from_pylist(list(_rows(given)), schema=_SCHEMA)
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _rows(given: Comparison) -> Iterator[dict[str, Any]]:
    for answer in given.answers:
        fit = answer.fit
        kind = "fold" if fit.permutation is None else "scrambled"
        about = {
            "candidate": given.names[fit.candidate],
            "kind": "learning_curve" if fit.fraction is not None else kind,
            "repeat": fit.repeat,
            "fold": fit.fold,
            "permutation": fit.permutation,
            "fraction": fit.fraction,
            "n_train": answer.n_train,
        }
        yield from _of_targets(about, given, answer.scores or {})
    for (repeat, fold), scores in zip(given.places, given.baseline, strict=True):
        n_train = len(given.folds[repeat][fold].train)
        about = {"kind": "baseline", "repeat": repeat, "fold": fold, "n_train": n_train}
        yield from _of_targets(about, given, scores)


def _of_targets(
    about: dict[str, Any], given: Comparison, scores: dict[str, list[float | None]]
) -> Iterator[dict[str, Any]]:
    targets = given.labels.task.targets
    for metric, values in scores.items():
        for target, value in zip(targets, values, strict=True):
            yield about | {"metric": metric, "target": target, "value": value}
