# made of _async/datasets.py by client/generate_sync.py: change that one
"""Data sets: made of files or tables, looked at, compared."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from retort._sync.objects import Dataset
from retort._sync.transport import Transport
from retort.answers import filled
from retort.parts import Progress
from retort.records import FileRecord, Json, ref_of
from retort.roles import roles_of
from retort.tables import slug

if TYPE_CHECKING:
    from retort._sync.client import Retort


class Datasets:
    def __init__(self, client: "Retort") -> None:
        self._client = client

    @property
    def _transport(self) -> Transport:
        return self._client.transport

    def create(
        self,
        data: Any,
        name: str | None = None,
        *,
        target: str | Sequence[str] | None = None,
        smiles: str | None = None,
        roles: Mapping[str, str] | None = None,
        duplicates: str | None = None,
        wait: bool = True,
        progress: Progress | None = None,
        **options: Any,
    ) -> Dataset:
        """Upload and ingest: a path, a DataFrame (pandas, polars), a list of dicts, SMILES or
        RDKit molecules, or a file that is on the server already. Roles are guessed where neither
        `target`, `smiles` nor `roles` says them. `options`: kind, format, sheet, decimal,
        units, max_bad_fraction, personal ({column: "drop" or "hash"}: columns about people, kept
        out before anything is stored), .... Raises JobFailed when nothing can be made
        of it (and `wait`).
        """
        file = self._on_server(data, name, progress)
        body = {"file_id": file.id, "name": name or slug(file.get("name") or "dataset")}
        body |= filled(roles=roles_of(target, smiles, roles) or None, duplicates=duplicates)
        made = self._transport.json("POST", "/datasets", json=body | filled(**options))
        dataset = Dataset(made, self._client)
        if not wait:
            return dataset
        self._client.jobs.wait(dataset["job_id"])
        return dataset.refresh()

    def preview(
        self,
        data: Any,
        *,
        target: str | Sequence[str] | None = None,
        smiles: str | None = None,
        roles: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Json:
        """What would be read, before it is: format, columns with roles, types, examples, notes.

        Also uploads; the `file_id` in the answer can be given to `create`.
        """
        file = self._on_server(data, None, None)
        body = filled(roles=roles_of(target, smiles, roles) or None, **options)
        found: Json = self._transport.json("POST", f"/files/{file.id}/preview", json=body)
        return {**found, "file_id": file.id}

    def get(self, ref: Any) -> Dataset:
        """`ref`: id, name (its newest version), name:3."""
        found = self._transport.json("GET", f"/datasets/{ref_of(ref)}")
        return Dataset(found, self._client)

    def report(self, ref: Any) -> Json:
        """Row accounting with reasons, columns, targets, duplicates and conflicts."""
        found: Json = self._transport.json("GET", f"/datasets/{ref_of(ref)}/report")
        return found

    def report_html(self, ref: Any, target: str | Path | None = None) -> str:
        """The report as a page in one file; written to `target` when given."""
        path = f"/datasets/{ref_of(ref)}/report.html"
        text = (self._transport.request("GET", path)).text
        if target is not None:
            _write(target, text)
        return text

    def rejected(self, ref: Any, target: str | Path | BinaryIO | None = None) -> str:
        """Every refused row with its reason, as CSV; written to `target` when given."""
        path = f"/datasets/{ref_of(ref)}/rejected"
        if target is None:
            return (self._transport.request("GET", path)).text
        self._client.files._download(path, target, None)  # noqa: SLF001 - same package
        return ""

    def rows(self, ref: Any, limit: int = 20, offset: int = 0) -> Sequence[Json]:
        """Rows of the cleaned table."""
        params = {"limit": limit, "offset": offset}
        path = f"/datasets/{ref_of(ref)}/rows"
        found: Json = self._transport.json("GET", path, params=params)
        items: Sequence[Json] = found["items"]
        return items

    def splits(self, ref: Any) -> Sequence[Json]:
        """Splits that were made of it, and how often their test rows were used."""
        found: Json = self._transport.json("GET", f"/datasets/{ref_of(ref)}/splits")
        items: Sequence[Json] = found["items"]
        return items

    def split(self, ref: Any, split_id: Any) -> Json:
        """One of them with its rows: `train`, `validation`, `test`, or `repeats` of folds. A row is
        its place in the cleaned table, from 0.
        """
        path = f"/datasets/{ref_of(ref)}/splits/{split_id}"
        found: Json = self._transport.json("GET", path)
        return found

    def diff(self, ref: Any, against: Any = None) -> Json:
        """What changed since another version (left out: the one before)."""
        params = filled(against=None if against is None else ref_of(against))
        path = f"/datasets/{ref_of(ref)}/diff"
        found: Json = self._transport.json("GET", path, params=params)
        return found

    def lineage(self, ref: Any) -> Json:
        """From the file to models, their aliases and predictions."""
        found: Json = self._transport.json("GET", f"/datasets/{ref_of(ref)}/lineage")
        return found

    def label(self, ref: Any, labels: Mapping[str, str | None]) -> Dataset:
        """Set labels; None removes one."""
        body = {"labels": dict(labels)}
        found = self._transport.json("PATCH", f"/datasets/{ref_of(ref)}", json=body)
        return Dataset(found, self._client)

    def list(
        self, name: str | None = None, *, kind: str | None = None, limit: int | None = None
    ) -> Iterator[Dataset]:
        """Newest first."""
        filters = {"name": name, "kind": kind, "limit": limit}
        for item in self._transport.pages("/datasets", filters):
            yield Dataset(item, self._client)

    def _on_server(self, data: Any, name: str | None, progress: Progress | None) -> FileRecord:
        """`data` when it is a file of the server, else the upload of it."""
        if isinstance(data, Mapping) and "id" in data and "sha256" in data:
            return FileRecord(data)
        return self._client.files.upload(data, name, progress=progress)


def _write(target: str | Path, text: str) -> None:
    Path(target).write_text(text, encoding="utf-8")
