"""The files of a batch prediction, written while the parts stream by."""

import csv
import io
from contextlib import ExitStack
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.core.csv_cells import safe_cell
from app.core.hashing import sha256_of_stream
from app.core.work import WorkContext
from app.db.files import FileRow
from app.storage import Storage, keys

_TYPES = {
    "predictions.parquet": ("application/vnd.apache.parquet", "predictions"),
    "predictions.csv": ("text/csv", "predictions"),
    "rejected.csv": ("text/csv", "rejected"),
    "manifest.json": ("application/json", "manifest"),
}
_FIRST = 5


class Artifacts:
    """Used as a context manager around `add`; the blobs exist when the block ended well."""

    def __init__(self, storage: Storage, context: WorkContext, schema: pa.Schema) -> None:
        self._storage = storage
        self._context = context
        self._schema = schema
        self._stack = ExitStack()
        self.rows = 0
        self.refused = 0
        self.first_refusals: list[tuple[int, str]] = []

    def __enter__(self) -> Self:
        parquet = self._stack.enter_context(self._storage.writer(self._key("predictions.parquet")))
        self._parquet = self._stack.enter_context(
            pq.ParquetWriter(parquet, self._schema, compression="zstd")
        )
        self._csv = self._text("predictions.csv")
        self._csv.writerow(self._schema.names)
        self._rejected = self._text("rejected.csv")
        self._rejected.writerow(["row", "value", "reason"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, table: pa.Table) -> None:
        """Rows in order; refuses a gap or a repetition."""
        table = table.select(self._schema.names).cast(self._schema)
        numbers = table.column("row").to_pylist()
        if numbers != list(range(self.rows + 1, self.rows + 1 + len(numbers))):
            raise RuntimeError(f"rows are not in order after row {self.rows}")
        self.rows += len(numbers)
        self._parquet.write_table(table)
        for row in table.to_pylist():
            self._csv.writerow([_cell(value) for value in row.values()])
            if row["status"] == "error":
                self._refuse(row)

    def finish(self, manifest: dict[str, Any]) -> list[FileRow]:
        """Write the manifest (last, with the hashes of the others); rows for Postgres."""
        names = list(_TYPES)[:-1]
        files = [self._file(name) for name in names]
        manifest["sha256"] = {file.name: file.sha256 for file in files}
        self._storage.write(
            self._key("manifest.json"), orjson.dumps(manifest, option=orjson.OPT_INDENT_2)
        )
        return [*files, self._file("manifest.json")]

    def _refuse(self, row: dict[str, Any]) -> None:
        self.refused += 1
        if len(self.first_refusals) < _FIRST:
            self.first_refusals.append((row["row"], row["reason"]))
        self._rejected.writerow([row["row"], _cell(row["input"]), _cell(row["reason"])])

    def _key(self, name: str) -> str:
        return keys.predictions(self._context.job_id, self._context.attempt, name)

    def _text(self, name: str) -> Any:
        stream: BinaryIO = self._stack.enter_context(self._storage.writer(self._key(name)))
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
