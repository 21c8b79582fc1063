# made of _async/history.py by client/generate_sync.py: change that one
"""Past predictions, and how often the server's cache knew the answer."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from retort._sync.transport import Transport
from retort.answers import filled, plain_times
from retort.records import Json, id_of, ref_of

if TYPE_CHECKING:
    from retort._sync.client import Retort


class PastPredictions:
    """What was predicted with `remember=True`, or through an endpoint that remembers."""

    def __init__(self, client: "Retort") -> None:
        self._client = client

    @property
    def _transport(self) -> Transport:
        return self._client.transport

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[Json]:
        """Newest first; `filters`: model (a name means all its versions), structure (any SMILES),
        endpoint_id, mode, request_id, created_after, created_before.
        """
        asked = {**_query(filters), "limit": limit}
        for item in self._transport.pages("/predictions", asked):
            yield item

    def get(self, prediction: Any) -> Json:
        """One by its id."""
        found: Json = self._transport.json("GET", f"/predictions/{id_of(prediction)}")
        return found

    def latest(self, structure: str) -> Json:
        """Of each model the newest prediction of a structure: {"structure", "items", "count",
        "models_used"}.
        """
        asked = {"structure": structure}
        found: Json = self._transport.json("GET", "/predictions/latest", params=asked)
        return found

    def remove(self, prediction: Any) -> None:
        """For ever. Raises Forbidden unless the key is an administrator's."""
        self._transport.request("DELETE", f"/predictions/{id_of(prediction)}")

    def remove_all(self, **filters: Any) -> int:
        """All that match, at least one filter of `list`; how many. Raises Forbidden unless the key
        is an administrator's.
        """
        removed, more = 0, True
        while more:
            found = self._transport.json("DELETE", "/predictions", params=_query(filters))
            removed, more = removed + found["deleted"], found["more"]
        return removed

    def cache_statistics(self, days: int | None = None) -> Json:
        """Hits, misses and hit rate of the last days (7), by day and by model."""
        asked = filled(days=days)
        found: Json = self._transport.json("GET", "/admin/prediction-cache", params=asked)
        return found

    def forget_answers(self, model: Any) -> int:
        """Empty the cache of a model version; how many answers it held. Raises Forbidden unless
        the key is an administrator's.
        """
        path = f"/admin/prediction-cache/{ref_of(model)}"
        found: Json = self._transport.json("DELETE", path)
        return int(found["deleted"])


def _query(filters: dict[str, Any]) -> Json:
    given = plain_times(filters)
    return given | ({"model": ref_of(given["model"])} if "model" in given else {})
