"""Endpoints: names that route predictions to model versions."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from retort.errors import NotFound
from retort.records import Json

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort


class AsyncEndpoints:
    """A specification is a dict: {"routes": [{"model", "weight", "mode", "sample", "pin"}],
    "sticky", "fallback", "canary", "history", "cache", "deadline_ms", ...}; see docs/endpoints.md.
    """

    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    async def list(self, *, limit: int | None = None) -> AsyncIterator[Json]:
        """By name."""
        async for item in self._client.transport.pages("/endpoints", {"limit": limit}):
            yield item

    async def get(self, name: str) -> Json:
        """With its active revision."""
        return await self._json("GET", f"/{name}")

    async def create(self, name: str, spec: Mapping[str, Any], *, note: str = "") -> Json:
        """A new one. Raises Conflict when the name is taken."""
        return await self._json("POST", "", json={**spec, "name": name, "note": note})

    async def apply(self, name: str, spec: Mapping[str, Any], *, note: str = "") -> Json:
        """Make it so: a new endpoint, or a new revision of what it is now. The same again changes
        nothing. Raises PreconditionFailed when somebody else changes it meanwhile.
        """
        try:
            version = (await self.get(name))["version"]
        except NotFound:
            version = None
        return await self.put(name, spec, version=version, note=note)

    async def put(
        self, name: str, spec: Mapping[str, Any], *, version: int | None = None, note: str = ""
    ) -> Json:
        """As `apply`, of the version that was read; None: there is no such endpoint yet."""
        body = {**spec, "note": note}
        return await self._json("PUT", f"/{name}", json=body, headers=_match(version))

    async def update(
        self, name: str, *, version: int | None = None, note: str = "", **fields: Any
    ) -> Json:
        """Only these fields; `version`: only of this one, else of whichever it is."""
        headers = _match(version) or {"If-Match": "*"}
        body = {**fields, "note": note}
        return await self._json("PATCH", f"/{name}", json=body, headers=headers)

    async def archive(self, name: str, *, version: int | None = None) -> None:
        """It answers no more; its revisions are kept."""
        headers = _match(version) or {"If-Match": "*"}
        await self._client.transport.request("DELETE", f"/endpoints/{name}", headers=headers)

    async def revisions(self, name: str, *, limit: int | None = None) -> Sequence[Json]:
        """Newest first: who changed what, when, why."""
        path = f"/endpoints/{name}/revisions"
        return [item async for item in self._client.transport.pages(path, {"limit": limit})]

    async def revision(self, name: str, number: int) -> Json:
        return await self._json("GET", f"/{name}/revisions/{number}")

    async def rollback(self, name: str, revision: int | None = None, *, note: str = "") -> Json:
        """To the revision before, or to this one, with the versions that it had."""
        body: Json = {"note": note} | ({} if revision is None else {"revision": revision})
        return await self._json("POST", f"/{name}/rollback", json=body)

    async def canary(self, name: str) -> Json:
        """How far its canary is, what the guards say, what it waits for."""
        return await self._json("GET", f"/{name}/canary")

    async def act(self, name: str, action: str, *, note: str = "") -> Json:
        """On its canary: pause, resume, step or abort."""
        body = {"action": action, "note": note}
        return await self._json("POST", f"/{name}/canary", json=body)

    async def metrics(self, name: str, *, minutes: int = 60) -> Json:
        """Each arm of the last minutes: requests, errors, latencies, shares."""
        return await self._json("GET", f"/{name}/metrics", params={"minutes": minutes})

    async def compare(
        self, name: str, baseline: str | None = None, *, minutes: int | None = None
    ) -> Json:
        """The arms side by side, and which differences are real, however often one looks: over the
        active revision, or over the last `minutes`, whichever revisions they were.
        """
        asked = {"baseline": baseline, "minutes": minutes}
        params = {key: value for key, value in asked.items() if value is not None}
        return await self._json("GET", f"/{name}/comparison", params=params)

    async def outcomes(self, name: str, outcomes: Sequence[Mapping[str, Any]]) -> Json:
        """Tell what was measured: [{"structure" or "request_id", "target", "measured"}]."""
        body = {"outcomes": [dict(outcome) for outcome in outcomes]}
        return await self._json("POST", f"/{name}/outcomes", json=body)

    async def _json(self, method: str, path: str, **options: Any) -> Json:
        found: Json = await self._client.transport.json(method, f"/endpoints{path}", **options)
        return found


def _match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}
