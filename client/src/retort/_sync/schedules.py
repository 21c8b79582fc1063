# made of _async/schedules.py by client/generate_sync.py: change that one
"""Schedules: jobs and retrainings at their times."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from retort.answers import filled
from retort.records import Json, id_of

if TYPE_CHECKING:
    from retort._sync.client import Retort


class Schedules:
    """A schedule says when (`cron`, `timezone`), and what: a `job` as in POST /jobs, or `retrain`:
    {"model", "dataset", "evaluate_on", "then": promote | hold | keep}; see docs/schedules.md.
    """

    def __init__(self, client: "Retort") -> None:
        self._client = client

    def list(self, *, limit: int | None = None) -> Iterator[Json]:
        """By name, each with its next three runs and its last one."""
        for item in self._client.transport.pages("/schedules", {"limit": limit}):
            yield item

    def get(self, name: str) -> Json:
        return self._json("GET", f"/{name}")

    def create(
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
        return self._json("POST", "", json=body)

    def update(self, name: str, *, version: int | None = None, **fields: Any) -> Json:
        """Only these fields; `version`: only of this one, else of whichever it is."""
        return self._json("PATCH", f"/{name}", json=fields, headers=_match(version))

    def remove(self, name: str, *, version: int | None = None) -> None:
        """It fires no more; jobs that run go on."""
        path = f"/schedules/{name}"
        self._client.transport.request("DELETE", path, headers=_match(version))

    def pause(self, name: str) -> Json:
        """Its times pass, and are not made up for."""
        return self._json("POST", f"/{name}/pause")

    def resume(self, name: str) -> Json:
        """From its next time on."""
        return self._json("POST", f"/{name}/resume")

    def run(self, name: str) -> Json:
        """Now. Raises Conflict while an earlier run has not ended and they may not overlap."""
        return self._json("POST", f"/{name}/run")

    def preview(self, cron: str, timezone: str = "UTC", *, count: int = 3) -> Json:
        """What an expression means: `explanation`, and `items` with `at` (UTC) and `local`."""
        body = {"cron": cron, "timezone": timezone, "count": count}
        return self._json("POST", "/preview", json=body)

    def history(self, name: str, *, limit: int | None = None) -> Iterator[Json]:
        """Its runs, newest first: when, what became of it, why, its jobs."""
        path = f"/schedules/{name}/runs"
        for item in self._client.transport.pages(path, {"limit": limit}):
            yield item

    def get_run(self, name: str, run: Any) -> Json:
        return self._json("GET", f"/{name}/runs/{id_of(run)}")

    def approve(self, name: str, run: Any, *, note: str = "") -> Json:
        """Promote the new version of a held run. Raises GateFailed."""
        path = f"/{name}/runs/{id_of(run)}/approve"
        return self._json("POST", path, json={"note": note})

    def reject(self, name: str, run: Any, *, note: str = "") -> Json:
        """Keep it, without promoting it."""
        path = f"/{name}/runs/{id_of(run)}/reject"
        return self._json("POST", path, json={"note": note})

    def _json(self, method: str, path: str, **options: Any) -> Json:
        found: Json = self._client.transport.json(method, f"/schedules{path}", **options)
        return found


def _match(version: int | None) -> dict[str, str]:
    return {"If-Match": "*"} if version is None else {"If-Match": f'"{version}"'}
