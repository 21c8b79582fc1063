"""The files of a batch prediction, written while the parts stream by."""

import csv
import io
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.core.csv_cells import safe_cell
from app.core.hashing import sha256_of_stream
from app.core.work import WorkContext
from app.datasets.row_groups import RowGroups
from app.db.files import FileRow
from app.prediction.csv_text import csv_header, csv_rows
from app.prediction.results import as_stored
from app.prediction.sdf import sdf_text
from app.storage import Storage, keys

_TYPES = {
    "predictions.parquet": ("application/vnd.apache.parquet", "predictions"),
    "predictions.csv": ("text/csv", "predictions"),
    "predictions.sdf": ("chemical/x-mdl-sdfile", "predictions"),
    "rejected.csv": ("text/csv", "rejected"),
    "manifest.json": ("application/json", "manifest"),
}
_FIRST = 5
#: rows of a range that somebody reads are found without reading the others
_ROW_GROUP = 10_000


class Artifacts:
    """Used as a context manager around `add`; the blobs exist when the block ended well.

    Parquet is always written: ranges are read from it, and comparisons.
    """

    def __init__(
        self,
        storage: Storage,
        context: WorkContext,
        schema: pa.Schema,
        formats: Sequence[str] = ("parquet", "csv"),
    ) -> None:
        self._storage = storage
        self._context = context
        self._schema = schema
        self._stack = ExitStack()
        self._sdf: BinaryIO | None = None
        self._names = ["predictions.parquet"]
        self._names += [f"predictions.{name}" for name in ("csv", "sdf") if name in formats]
        self._names.append("rejected.csv")
        self.rows = 0
        self.refused = 0
        self.first_refusals: list[tuple[int, str]] = []

    def __enter__(self) -> Self:
        parquet = self._binary("predictions.parquet")
        writer = pq.ParquetWriter(parquet, self._schema, compression="zstd")
        self._stack.enter_context(writer)
        if "predictions.sdf" in self._names:
            self._sdf = self._binary("predictions.sdf")
        self._rejected = self._text("rejected.csv")
        self._rejected.writerow(["row", "value", "reason"])
        also = self._csv_rows() if "predictions.csv" in self._names else None
        self._groups = self._stack.enter_context(RowGroups(writer, _ROW_GROUP, also))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, table: pa.Table, sdf_key: str | None = None) -> None:
        """Rows in order, and their SDF where a chunk has written it; refuses a gap or a
        repetition.
        """
        table = as_stored(table, self._schema)
        numbers = table.column("row").to_numpy()
        if not np.array_equal(numbers, np.arange(self.rows + 1, self.rows + 1 + len(numbers))):
            raise RuntimeError(f"rows are not in order after row {self.rows}")
        self.rows += len(numbers)
        self._groups.add(table)
        if self._sdf is not None:
            self._add_sdf(self._sdf, table, sdf_key)
        for row in table.filter(pc.equal(table.column("status"), pa.scalar("error"))).to_pylist():
            self._refuse(row)

    def finish(self, manifest: dict[str, Any]) -> list[FileRow]:
        """Write the manifest (last, with the hashes of the others); rows for Postgres."""
        files = [self._file(name) for name in self._names]
        manifest["sha256"] = {file.name: file.sha256 for file in files}
        self._storage.write(
            self._key("manifest.json"), orjson.dumps(manifest, option=orjson.OPT_INDENT_2)
        )
        return [*files, self._file("manifest.json")]

    def _csv_rows(self) -> Callable[[pa.Table], None]:
        """Begins the file; what adds rows to it."""
        stream = self._binary("predictions.csv")
        stream.write(csv_header(self._schema.names))

        def add(table: pa.Table) -> None:
            for text in csv_rows(table):
                stream.write(text)

        return add

    def _add_sdf(self, target: BinaryIO, table: pa.Table, key: str | None) -> None:
        if key is None:
            target.write(sdf_text(table, []).encode())
            return
        with self._storage.open(key) as source:
            shutil.copyfileobj(source, target, 1 << 20)

    def _refuse(self, row: dict[str, Any]) -> None:
        self.refused += 1
        if len(self.first_refusals) < _FIRST:
            self.first_refusals.append((row["row"], row["reason"]))
        self._rejected.writerow([row["row"], _cell(row["input"]), _cell(row["reason"])])

    def _key(self, name: str) -> str:
        return keys.predictions(self._context.job_id, self._context.attempt, name)

    def _binary(self, name: str) -> BinaryIO:
        return self._stack.enter_context(self._storage.writer(self._key(name)))

    def _text(self, name: str) -> Any:
        stream = self._binary(name)
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        self._stack.callback(text.detach)
        return csv.writer(text)

    def _file(self, name: str) -> FileRow:
        key = self._key(name)
        media_type, role = _TYPES[name]
        with self._storage.open(key) as stream:
            sha256 = sha256_of_stream(stream)
        return FileRow(
            project_id=self._context.project_id,
            name=name,
            media_type=media_type,
            size=self._storage.size(key),
            sha256=sha256,
            storage_key=key,
            role=role,
            job_id=self._context.job_id,
        )


def _cell(value: Any) -> Any:
    return safe_cell(value) if isinstance(value, str) else value
