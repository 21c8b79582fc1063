"""Names of models: aliases, their gates and their history."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from retort.answers import filled
from retort.records import Json

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort


class AsyncRegistryName:
    """One name of models: its versions and aliases."""

    def __init__(self, client: "AsyncRetort", name: str) -> None:
        self._client = client
        self.name = name

    async def get(self) -> Json:
        """versions, newest, aliases, labels, description."""
        found: Json = await self._client.transport.json("GET", f"/registry/{self.name}")
        return found

    async def change(
        self, *, labels: Mapping[str, str | None] | None = None, description: str | None = None
    ) -> Json:
        """Labels (merged in; None removes one) and description of the name."""
        body = filled(labels=None if labels is None else dict(labels), description=description)
        path = f"/registry/{self.name}"
        found: Json = await self._client.transport.json("PATCH", path, json=body)
        return found

    async def promote(
        self, model: Any, alias: str = "champion", note: str = "", **options: Any
    ) -> Json:
        """`model`: a version number, "name:3" or a Model; `options` as of `models.promote`."""
        version = model if isinstance(model, int) else None
        ref = self.name if version is not None else model
        return await self._client.models.promote(ref, version, alias, note, **options)

    async def rollback(
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
        found: Json = await self._client.transport.json("POST", path, json=body, headers=headers)
        return found

    async def remove(self, alias: str) -> None:
        """Take an alias away."""
        await self._client.transport.request("DELETE", f"/registry/{self.name}/aliases/{alias}")

    async def history(
        self, alias: str | None = None, *, limit: int | None = None
    ) -> AsyncIterator[Json]:
        """Every move of its aliases, newest first: who, when, before, after, note, gate."""
        path, params = f"/registry/{self.name}/history", {"alias": alias, "limit": limit}
        async for item in self._client.transport.pages(path, params):
            yield item

    async def policy(self, alias: str = "champion") -> Json:
        """What a version must fulfil before the alias points to it. Raises NotFound."""
        path = f"/registry/{self.name}/policies/{alias}"
        found: Json = await self._client.transport.json("GET", path)
        return found

    async def set_policy(self, alias: str = "champion", **policy: Any) -> Json:
        """`policy`: evaluation_dataset, metric, min_delta, confidence, required, four_eyes,
        max_latency_ms; what is left out has its default again.
        """
        path = f"/registry/{self.name}/policies/{alias}"
        found: Json = await self._client.transport.json("PUT", path, json=policy)
        return found

    async def drop_policy(self, alias: str = "champion") -> None:
        """Any version may bear the alias again."""
        await self._client.transport.request("DELETE", f"/registry/{self.name}/policies/{alias}")


class AsyncRegistry:
    """Names of models: `client.registry["sol"]`."""

    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    def __getitem__(self, name: str) -> AsyncRegistryName:
        return AsyncRegistryName(self._client, name)

    async def names(self) -> Sequence[Json]:
        """Every name with its newest version and aliases."""
        found: Json = await self._client.transport.json("GET", "/registry")
        items: Sequence[Json] = found["items"]
        return items
