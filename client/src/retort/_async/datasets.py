"""Data sets: made of files or tables, looked at, compared."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from retort._async.objects import AsyncDataset
from retort._async.transport import AsyncTransport
from retort.answers import filled
from retort.parts import Progress
from retort.records import FileRecord, Json, ref_of
from retort.roles import roles_of
from retort.tables import slug

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort


class AsyncDatasets:
    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    @property
    def _transport(self) -> AsyncTransport:
        return self._client.transport

    async def create(
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
    ) -> AsyncDataset:
        """Upload and ingest: a path, a DataFrame (pandas, polars), a list of dicts, SMILES or
        RDKit molecules, or a file that is on the server already. Roles are guessed where neither
        `target`, `smiles` nor `roles` says them. `options`: kind, format, sheet, decimal,
        units, max_bad_fraction, personal ({column: "drop" or "hash"}: columns about people, kept
        out before anything is stored), .... Raises JobFailed when nothing can be made
        of it (and `wait`).
        """
        file = await self._on_server(data, name, progress)
        body = {"file_id": file.id, "name": name or slug(file.get("name") or "dataset")}
        body |= filled(roles=roles_of(target, smiles, roles) or None, duplicates=duplicates)
        made = await self._transport.json("POST", "/datasets", json=body | filled(**options))
        dataset = AsyncDataset(made, self._client)
        if not wait:
            return dataset
        await self._client.jobs.wait(dataset["job_id"])
        return await dataset.refresh()

    async def preview(
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
        file = await self._on_server(data, None, None)
        body = filled(roles=roles_of(target, smiles, roles) or None, **options)
        found: Json = await self._transport.json("POST", f"/files/{file.id}/preview", json=body)
        return {**found, "file_id": file.id}

    async def get(self, ref: Any) -> AsyncDataset:
        """`ref`: id, name (its newest version), name:3."""
        found = await self._transport.json("GET", f"/datasets/{ref_of(ref)}")
        return AsyncDataset(found, self._client)

    async def report(self, ref: Any) -> Json:
        """Row accounting with reasons, columns, targets, duplicates and conflicts."""
        found: Json = await self._transport.json("GET", f"/datasets/{ref_of(ref)}/report")
        return found

    async def report_html(self, ref: Any, target: str | Path | None = None) -> str:
        """The report as a page in one file; written to `target` when given."""
        path = f"/datasets/{ref_of(ref)}/report.html"
        text = (await self._transport.request("GET", path)).text
        if target is not None:
            _write(target, text)
        return text

    async def rejected(self, ref: Any, target: str | Path | BinaryIO | None = None) -> str:
        """Every refused row with its reason, as CSV; written to `target` when given."""
        path = f"/datasets/{ref_of(ref)}/rejected"
        if target is None:
            return (await self._transport.request("GET", path)).text
        await self._client.files._download(path, target, None)  # noqa: SLF001 - same package
        return ""

    async def rows(self, ref: Any, limit: int = 20, offset: int = 0) -> Sequence[Json]:
        """Rows of the cleaned table."""
        params = {"limit": limit, "offset": offset}
        path = f"/datasets/{ref_of(ref)}/rows"
        found: Json = await self._transport.json("GET", path, params=params)
        items: Sequence[Json] = found["items"]
        return items

    async def splits(self, ref: Any) -> Sequence[Json]:
        """Splits that were made of it, and how often their test rows were used."""
        found: Json = await self._transport.json("GET", f"/datasets/{ref_of(ref)}/splits")
        items: Sequence[Json] = found["items"]
        return items

    async def split(self, ref: Any, split_id: Any) -> Json:
        """One of them with its rows: `train`, `validation`, `test`, or `repeats` of folds. A row is
        its place in the cleaned table, from 0.
        """
        path = f"/datasets/{ref_of(ref)}/splits/{split_id}"
        found: Json = await self._transport.json("GET", path)
        return found

    async def diff(self, ref: Any, against: Any = None) -> Json:
        """What changed since another version (left out: the one before)."""
        params = filled(against=None if against is None else ref_of(against))
        path = f"/datasets/{ref_of(ref)}/diff"
        found: Json = await self._transport.json("GET", path, params=params)
        return found

    async def lineage(self, ref: Any) -> Json:
        """From the file to models, their aliases and predictions."""
        found: Json = await self._transport.json("GET", f"/datasets/{ref_of(ref)}/lineage")
        return found

    async def label(self, ref: Any, labels: Mapping[str, str | None]) -> AsyncDataset:
        """Set labels; None removes one."""
        body = {"labels": dict(labels)}
        found = await self._transport.json("PATCH", f"/datasets/{ref_of(ref)}", json=body)
        return AsyncDataset(found, self._client)

    async def list(
        self, name: str | None = None, *, kind: str | None = None, limit: int | None = None
    ) -> AsyncIterator[AsyncDataset]:
        """Newest first."""
        filters = {"name": name, "kind": kind, "limit": limit}
        async for item in self._transport.pages("/datasets", filters):
            yield AsyncDataset(item, self._client)

    async def _on_server(
        self, data: Any, name: str | None, progress: Progress | None
    ) -> FileRecord:
        """`data` when it is a file of the server, else the upload of it."""
        if isinstance(data, Mapping) and "id" in data and "sha256" in data:
            return FileRecord(data)
        return await self._client.files.upload(data, name, progress=progress)


def _write(target: str | Path, text: str) -> None:
    Path(target).write_text(text, encoding="utf-8")
