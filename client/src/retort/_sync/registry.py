# made of _async/registry.py by client/generate_sync.py: change that one
"""Names of models: aliases, their gates and their history."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from retort.answers import filled
from retort.records import Json

if TYPE_CHECKING:
    from retort._sync.client import Retort


class RegistryName:
    """One name of models: its versions and aliases."""

    def __init__(self, client: "Retort", name: str) -> None:
        self._client = client
        self.name = name

    def get(self) -> Json:
        """versions, newest, aliases, labels, description."""
        found: Json = self._client.transport.json("GET", f"/registry/{self.name}")
        return found

    def change(
        self, *, labels: Mapping[str, str | None] | None = None, description: str | None = None
    ) -> Json:
        """Labels (merged in; None removes one) and description of the name."""
        body = filled(labels=None if labels is None else dict(labels), description=description)
        path = f"/registry/{self.name}"
        found: Json = self._client.transport.json("PATCH", path, json=body)
        return found

    def promote(self, model: Any, alias: str = "champion", note: str = "", **options: Any) -> Json:
        """`model`: a version number, "name:3" or a Model; `options` as of `models.promote`."""
        version = model if isinstance(model, int) else None
        ref = self.name if version is not None else model
        return self._client.models.promote(ref, version, alias, note, **options)

    def rollback(
        self,
        alias: str = "champion",
        note: str = "",
        *,
        version: int | None = None,
        etag: str | None = None,
    ) -> Json:
        """Back to the version that bore the alias before, at once and without a gate; again:
        further back. `version`: to that earlier holder. Raises NoEarlierHolder.
        """
        path = f"/registry/{self.name}/aliases/{alias}/rollback"
        body = filled(note=note, version=version)
        headers = {} if etag is None else {"If-Match": etag}
        found: Json = self._client.transport.json("POST", path, json=body, headers=headers)
        return found

    def remove(self, alias: str) -> None:
        """Take an alias away."""
        self._client.transport.request("DELETE", f"/registry/{self.name}/aliases/{alias}")

    def history(self, alias: str | None = None, *, limit: int | None = None) -> Iterator[Json]:
        """Every move of its aliases, newest first: who, when, before, after, note, gate."""
        path, params = f"/registry/{self.name}/history", {"alias": alias, "limit": limit}
        for item in self._client.transport.pages(path, params):
            yield item

    def policy(self, alias: str = "champion") -> Json:
        """What a version must fulfil before the alias points to it. Raises NotFound."""
        path = f"/registry/{self.name}/policies/{alias}"
        found: Json = self._client.transport.json("GET", path)
        return found

    def set_policy(self, alias: str = "champion", **policy: Any) -> Json:
        """`policy`: evaluation_dataset, metric, min_delta, confidence, required, four_eyes,
        max_latency_ms; what is left out has its default again.
        """
        path = f"/registry/{self.name}/policies/{alias}"
        found: Json = self._client.transport.json("PUT", path, json=policy)
        return found

    def drop_policy(self, alias: str = "champion") -> None:
        """Any version may bear the alias again."""
        self._client.transport.request("DELETE", f"/registry/{self.name}/policies/{alias}")


class Registry:
    """Names of models: `client.registry["sol"]`."""

    def __init__(self, client: "Retort") -> None:
        self._client = client

    def __getitem__(self, name: str) -> RegistryName:
        return RegistryName(self._client, name)

    def names(self) -> Sequence[Json]:
        """Every name with its newest version and aliases."""
        found: Json = self._client.transport.json("GET", "/registry")
        items: Sequence[Json] = found["items"]
        return items
