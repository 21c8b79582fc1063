"""Jobs: submit, look at, wait, follow, cancel, retry, rerun, label; many at once; workflows."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from retort._async.following import AsyncFollow
from retort._async.objects import AsyncJob
from retort._async.transport import AsyncTransport
from retort.answers import filled, not_ended, plain_times
from retort.errors import NotFound, failure_of
from retort.records import FileRecord, Json, Record, id_of
from retort.stream import TERMINAL

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort

_WAIT_SECONDS = 30.0


class AsyncJobs:
    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    @property
    def _transport(self) -> AsyncTransport:
        return self._client.transport

    async def submit(self, kind: str, params: Mapping[str, Any], **fields: Any) -> AsyncJob:
        """Post a job; `fields`: needs, labels, deadline_seconds, priority, client_ref,
        correlation_id, and idempotency_key (left out: a fresh one, kept over all retries).
        """
        key = fields.pop("idempotency_key", None)
        if fields.get("needs"):
            fields["needs"] = [id_of(need) for need in fields["needs"]]
        headers = {"Idempotency-Key": key} if key else {}
        body = {"kind": kind, "params": dict(params), **fields}
        return self._job(await self._transport.json("POST", "/jobs", json=body, headers=headers))

    async def get(self, job: Any) -> AsyncJob:
        return self._job(await self._transport.json("GET", f"/jobs/{id_of(job)}"))

    async def wait(self, job: Any, timeout: float | None = None) -> AsyncJob:  # noqa: ASYNC109
        """The ended job. Raises JobFailed unless it succeeded, TimedOut when it has not ended
        after `timeout` seconds (it runs on).
        """
        ends = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            left = max(0.0, min(_WAIT_SECONDS, ends - time.monotonic()))
            path = f"/jobs/{id_of(job)}"
            found = await self._transport.json("GET", path, params={"wait": round(left, 3)})
            if found["state"] in TERMINAL:
                if found["state"] != "succeeded":
                    raise failure_of(found)
                return self._job(found)
            if time.monotonic() >= ends:
                raise not_ended(found, timeout)

    def follow(self, job: Any) -> AsyncFollow:
        """Every event of the job until it has ended."""
        return AsyncFollow(self._transport, id_of(job))

    async def cancel(self, job: Any) -> AsyncJob:
        """At once while it waits; a running job is asked to stop."""
        return self._job(await self._transport.json("POST", f"/jobs/{id_of(job)}/cancel"))

    async def retry(self, job: Any) -> AsyncJob:
        """Run a failed job once more; of a divided job only what failed."""
        return self._job(await self._transport.json("POST", f"/jobs/{id_of(job)}/retry"))

    async def rerun(
        self,
        job: Any,
        params: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
    ) -> AsyncJob:
        """A new job with the same params, patched (RFC 7396); `["difference"]` tells what changed.

        With `dry_run` nothing is submitted: {"params", "difference"}.
        """
        body = {"params": dict(params or {})} | ({"dry_run": True} if dry_run else {})
        return self._job(await self._transport.json("POST", f"/jobs/{id_of(job)}/rerun", json=body))

    async def label(self, job: Any, labels: Mapping[str, str | None]) -> AsyncJob:
        """Set labels; None removes one."""
        body = {"labels": dict(labels)}
        return self._job(await self._transport.json("PATCH", f"/jobs/{id_of(job)}", json=body))

    async def bulk(
        self,
        action: str,
        *,
        dry_run: bool = True,
        labels: Mapping[str, str] | None = None,
        **filters: Any,
    ) -> Json:
        """cancel, retry or relabel all jobs that match `filters`: state, kind, label (a dict),
        created_before, created_after, created_by, ids. Says what it would do unless
        `dry_run=False`. {"matched", "changed", "jobs": [ids]}.
        """
        if "label" in filters:
            filters["labels"] = dict(filters.pop("label"))
        body = filled(action=action, filter=plain_times(filters), labels=labels, dry_run=dry_run)
        found: Json = await self._transport.json("POST", "/jobs/bulk", json=body)
        return found

    async def estimate(self, kind: str, params: Mapping[str, Any]) -> Json:
        """Seconds and peak memory of such a job, from what earlier ones took."""
        body = {"kind": kind, "params": dict(params)}
        found: Json = await self._transport.json("POST", "/jobs/estimate", json=body)
        return found

    async def logs(
        self,
        job: Any,
        *,
        attempt: int | None = None,
        level: str | None = None,
        q: str | None = None,
        after: Any = None,
        limit: int | None = None,
    ) -> AsyncIterator[Record]:
        """Lines of its log, oldest first: id, at, attempt, chunk, level, logger, text; `after`:
        only those behind this id.
        """
        filters = filled(attempt=attempt, level=level, q=q, after=after, limit=limit)
        async for item in self._transport.pages(f"/jobs/{id_of(job)}/logs", filters):
            yield Record(item)

    async def rows(
        self, job: Any, *, start: int | None = None, limit: int | None = None
    ) -> AsyncIterator[Record]:
        """Predicted rows of a predict job by number, from `start` on; while it runs those that are
        there already.
        """
        filters = filled(start=start, limit=limit)
        async for item in self._transport.pages(f"/jobs/{id_of(job)}/predictions", filters):
            yield Record(item)

    async def row_range(self, job: Any, start: int = 1, limit: int = 100) -> Json:
        """One page of them with what is not there yet: {"items", "missing": [{"first", "last"}],
        "rows_total", "state", "next_cursor"}.
        """
        params = {"start": start, "limit": limit}
        path = f"/jobs/{id_of(job)}/predictions"
        found: Json = await self._transport.json("GET", path, params=params)
        return found

    async def artifacts(self, job: Any) -> Sequence[FileRecord]:
        """Files that it made."""
        return [FileRecord(item) for item in await self._items(job, "artifacts")]

    async def download(self, job: Any, name: str, target: str | Path | BinaryIO) -> None:
        """One artifact by name. Raises NotFound, which names those that exist."""
        found = {entry.name: entry for entry in await self.artifacts(job)}
        if name not in found:
            raise NotFound(
                {
                    "code": "not_found",
                    "detail": f"the job made no file {name!r}",
                    "remedy": f"Its files are: {', '.join(sorted(found)) or 'none'}.",
                }
            )
        await self._client.files.download(found[name], target)

    async def events(self, job: Any) -> Sequence[Json]:
        """What happened so far, as a list."""
        return await self._items(job, "events")

    async def attempts(self, job: Any) -> Sequence[Json]:
        return await self._items(job, "attempts")

    async def chunks(self, job: Any) -> Sequence[Json]:
        """Of a divided job: each part with its state."""
        return await self._items(job, "chunks")

    async def list(
        self,
        *,
        label: Mapping[str, str] | None = None,
        limit: int | None = None,
        **filters: Any,
    ) -> AsyncIterator[AsyncJob]:
        """Newest first, page by page as they are asked for; `filters`: state, kind, parent_id,
        created_after, created_before, created_by, q.
        """
        if label is not None:
            filters["label"] = [f"{name}:{value}" for name, value in label.items()]
        async for item in self._transport.pages("/jobs", {**plain_times(filters), "limit": limit}):
            yield self._job(item)

    async def _items(self, job: Any, what: str) -> Sequence[Json]:
        found: Json = await self._transport.json("GET", f"/jobs/{id_of(job)}/{what}")
        items: Sequence[Json] = found["items"]
        return items

    def _job(self, data: Mapping[str, Any]) -> AsyncJob:
        return AsyncJob(data, self._client)


class AsyncWorkflows:
    """Jobs that depend on each other, submitted in one call."""

    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    async def run(self, jobs: Mapping[str, Mapping[str, Any]], **fields: Any) -> Json:
        """`jobs`: {key: {"kind", "params", "needs": [key], ...}}; in params
        {"$from": "key.result.best_params"} takes what another one found. The answer:
        {"id", "jobs": {key: Job}}.
        """
        body = {"jobs": {key: dict(job) for key, job in jobs.items()}, **fields}
        return self._shown(await self._client.transport.json("POST", "/workflows", json=body))

    async def get(self, workflow: Any) -> Json:
        path = f"/workflows/{id_of(workflow)}"
        return self._shown(await self._client.transport.json("GET", path))

    def _shown(self, found: Json) -> Json:
        jobs = {key: AsyncJob(job, self._client) for key, job in found["jobs"].items()}
        return {**found, "jobs": jobs}
