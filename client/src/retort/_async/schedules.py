"""Schedules: jobs and retrainings at their times."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from retort.answers import filled
from retort.records import Json, id_of

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort


class AsyncSchedules:
    """A schedule says when (`cron`, `timezone`), and what: a `job` as in POST /jobs, or `retrain`:
    {"model", "dataset", "evaluate_on", "then": promote | hold | keep}; see docs/schedules.md.
    """

    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    async def list(self, *, limit: int | None = None) -> AsyncIterator[Json]:
        """By name, each with its next three runs and its last one."""
        async for item in self._client.transport.pages("/schedules", {"limit": limit}):
            yield item

    async def get(self, name: str) -> Json:
        return await self._json("GET", f"/{name}")

    async def create(
        self,
        name: str,
        cron: str,
        *,
        timezone: str = "UTC",
        job: Mapping[str, Any] | None = None,
        retrain: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Json:
        """`options`: missed (skip, last, all), max_missed, overlap (skip, queue, allow), enabled,
        start_at, end_at, description, labels. Raises Conflict when the name is taken.
        """
        what = filled(
            job=None if job is None else dict(job),
            retrain=None if retrain is None else dict(retrain),
        )
        body = {"name": name, "cron": cron, "timezone": timezone, **what, **options}
        return await self._json("POST", "", json=body)

    async def update(self, name: str, *, version: int | None = None, **fields: Any) -> Json:
        """Only these fields; `version`: only of this one, else of whichever it is."""
        return await self._json("PATCH", f"/{name}", json=fields, headers=_match(version))

    async def remove(self, name: str, *, version: int | None = None) -> None:
        """It fires no more; jobs that run go on."""
        path = f"/schedules/{name}"
        await self._client.transport.request("DELETE", path, headers=_match(version))

    async def pause(self, name: str) -> Json:
        """Its times pass, and are not made up for."""
        return await self._json("POST", f"/{name}/pause")

    async def resume(self, name: str) -> Json:
        """From its next time on."""
        return await self._json("POST", f"/{name}/resume")

    async def run(self, name: str) -> Json:
        """Now. Raises Conflict while an earlier run has not ended and they may not overlap."""
        return await self._json("POST", f"/{name}/run")

    async def preview(self, cron: str, timezone: str = "UTC", *, count: int = 3) -> Json:
        """What an expression means: `explanation`, and `items` with `at` (UTC) and `local`."""
        body = {"cron": cron, "timezone": timezone, "count": count}
        return await self._json("POST", "/preview", json=body)

    async def history(self, name: str, *, limit: int | None = None) -> AsyncIterator[Json]:
        """Its runs, newest first: when, what became of it, why, its jobs."""
        path = f"/schedules/{name}/runs"
        async for item in self._client.transport.pages(path, {"limit": limit}):
            yield item

    async def get_run(self, name: str, run: Any) -> Json:
        return await self._json("GET", f"/{name}/runs/{id_of(run)}")

    async def approve(self, name: str, run: Any, *, note: str = "") -> Json:
        """Promote the new version of a held run. Raises GateFailed."""
        path = f"/{name}/runs/{id_of(run)}/approve"
        return await self._json("POST", path, json={"note": note})

    async def reject(self, name: str, run: Any, *, note: str = "") -> Json:
        """Keep it, without promoting it."""
        path = f"/{name}/runs/{id_of(run)}/reject"
        return await self._json("POST", path, json={"note": note})

    async def _json(self, method: str, path: str, **options: Any) -> Json:
        found: Json = await self._client.transport.json(method, f"/schedules{path}", **options)
        return found


def _match(version: int | None) -> dict[str, str]:
    return {"If-Match": "*"} if version is None else {"If-Match": f'"{version}"'}
