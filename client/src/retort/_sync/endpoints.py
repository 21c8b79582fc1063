# made of _async/endpoints.py by client/generate_sync.py: change that one
"""Endpoints: names that route predictions to model versions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from retort.errors import NotFound
from retort.records import Json

if TYPE_CHECKING:
    from retort._sync.client import Retort


class Endpoints:
    """A specification is a dict: {"routes": [{"model", "weight", "mode", "sample", "pin"}],
    "sticky", "fallback", "canary", "history", "cache", "deadline_ms", ...}; see docs/endpoints.md.
    """

    def __init__(self, client: "Retort") -> None:
        self._client = client

    def list(self, *, limit: int | None = None) -> Iterator[Json]:
        """By name."""
        for item in self._client.transport.pages("/endpoints", {"limit": limit}):
            yield item

    def get(self, name: str) -> Json:
        """With its active revision."""
        return self._json("GET", f"/{name}")

    def create(self, name: str, spec: Mapping[str, Any], *, note: str = "") -> Json:
        """A new one. Raises Conflict when the name is taken."""
        return self._json("POST", "", json={**spec, "name": name, "note": note})

    def apply(self, name: str, spec: Mapping[str, Any], *, note: str = "") -> Json:
        """Make it so: a new endpoint, or a new revision of what it is now. The same again changes
        nothing. Raises PreconditionFailed when somebody else changes it meanwhile.
        """
        try:
            version = (self.get(name))["version"]
        except NotFound:
            version = None
        return self.put(name, spec, version=version, note=note)

    def put(
        self, name: str, spec: Mapping[str, Any], *, version: int | None = None, note: str = ""
    ) -> Json:
        """As `apply`, of the version that was read; None: there is no such endpoint yet."""
        body = {**spec, "note": note}
        return self._json("PUT", f"/{name}", json=body, headers=_match(version))

    def update(
        self, name: str, *, version: int | None = None, note: str = "", **fields: Any
    ) -> Json:
        """Only these fields; `version`: only of this one, else of whichever it is."""
        headers = _match(version) or {"If-Match": "*"}
        body = {**fields, "note": note}
        return self._json("PATCH", f"/{name}", json=body, headers=headers)

    def archive(self, name: str, *, version: int | None = None) -> None:
        """It answers no more; its revisions are kept."""
        headers = _match(version) or {"If-Match": "*"}
        self._client.transport.request("DELETE", f"/endpoints/{name}", headers=headers)

    def revisions(self, name: str, *, limit: int | None = None) -> Sequence[Json]:
        """Newest first: who changed what, when, why."""
        path = f"/endpoints/{name}/revisions"
        return [item for item in self._client.transport.pages(path, {"limit": limit})]

    def revision(self, name: str, number: int) -> Json:
        return self._json("GET", f"/{name}/revisions/{number}")

    def rollback(self, name: str, revision: int | None = None, *, note: str = "") -> Json:
        """To the revision before, or to this one, with the versions that it had."""
        body: Json = {"note": note} | ({} if revision is None else {"revision": revision})
        return self._json("POST", f"/{name}/rollback", json=body)

    def canary(self, name: str) -> Json:
        """How far its canary is, what the guards say, what it waits for."""
        return self._json("GET", f"/{name}/canary")

    def act(self, name: str, action: str, *, note: str = "") -> Json:
        """On its canary: pause, resume, step or abort."""
        body = {"action": action, "note": note}
        return self._json("POST", f"/{name}/canary", json=body)

    def metrics(self, name: str, *, minutes: int = 60) -> Json:
        """Each arm of the last minutes: requests, errors, latencies, shares."""
        return self._json("GET", f"/{name}/metrics", params={"minutes": minutes})

    def compare(
        self, name: str, baseline: str | None = None, *, minutes: int | None = None
    ) -> Json:
        """The arms side by side, and which differences are real, however often one looks: over the
        active revision, or over the last `minutes`, whichever revisions they were.
        """
        asked = {"baseline": baseline, "minutes": minutes}
        params = {key: value for key, value in asked.items() if value is not None}
        return self._json("GET", f"/{name}/comparison", params=params)

    def outcomes(self, name: str, outcomes: Sequence[Mapping[str, Any]]) -> Json:
        """Tell what was measured: [{"structure" or "request_id", "target", "measured"}]."""
        body = {"outcomes": [dict(outcome) for outcome in outcomes]}
        return self._json("POST", f"/{name}/outcomes", json=body)

    def _json(self, method: str, path: str, **options: Any) -> Json:
        found: Json = self._client.transport.json(method, f"/endpoints{path}", **options)
        return found


def _match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}
