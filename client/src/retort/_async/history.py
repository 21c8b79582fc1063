"""Past predictions, and how often the server's cache knew the answer."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from retort._async.transport import AsyncTransport
from retort.answers import filled, plain_times
from retort.records import Json, id_of, ref_of

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort


class AsyncPastPredictions:
    """What was predicted with `remember=True`, or through an endpoint that remembers."""

    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    @property
    def _transport(self) -> AsyncTransport:
        return self._client.transport

    async def list(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Json]:
        """Newest first; `filters`: model (a name means all its versions), structure (any SMILES),
        endpoint_id, mode, request_id, created_after, created_before.
        """
        asked = {**_query(filters), "limit": limit}
        async for item in self._transport.pages("/predictions", asked):
            yield item

    async def get(self, prediction: Any) -> Json:
        """One by its id."""
        found: Json = await self._transport.json("GET", f"/predictions/{id_of(prediction)}")
        return found

    async def latest(self, structure: str) -> Json:
        """Of each model the newest prediction of a structure: {"structure", "items", "count",
        "models_used"}.
        """
        asked = {"structure": structure}
        found: Json = await self._transport.json("GET", "/predictions/latest", params=asked)
        return found

    async def remove(self, prediction: Any) -> None:
        """For ever. Raises Forbidden unless the key is an administrator's."""
        await self._transport.request("DELETE", f"/predictions/{id_of(prediction)}")

    async def remove_all(self, **filters: Any) -> int:
        """All that match, at least one filter of `list`; how many. Raises Forbidden unless the key
        is an administrator's.
        """
        removed, more = 0, True
        while more:
            found = await self._transport.json("DELETE", "/predictions", params=_query(filters))
            removed, more = removed + found["deleted"], found["more"]
        return removed

    async def cache_statistics(self, days: int | None = None) -> Json:
        """Hits, misses and hit rate of the last days (7), by day and by model."""
        asked = filled(days=days)
        found: Json = await self._transport.json("GET", "/admin/prediction-cache", params=asked)
        return found

    async def forget_answers(self, model: Any) -> int:
        """Empty the cache of a model version; how many answers it held. Raises Forbidden unless
        the key is an administrator's.
        """
        path = f"/admin/prediction-cache/{ref_of(model)}"
        found: Json = await self._transport.json("DELETE", path)
        return int(found["deleted"])


def _query(filters: dict[str, Any]) -> Json:
    given = plain_times(filters)
    return given | ({"model": ref_of(given["model"])} if "model" in given else {})
