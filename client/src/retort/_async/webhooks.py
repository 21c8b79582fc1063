"""Webhooks: where the server sends events to, and what became of them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from retort.answers import filled, moment
from retort.records import Json, id_of
from retort.webhooks import verify as verify_message

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort


class AsyncWebhooks:
    """See docs/webhooks.md."""

    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    async def create(
        self,
        url: str,
        *,
        types: Sequence[str] | None = None,
        filter: Mapping[str, str] | None = None,  # noqa: A002 - the server's word
        description: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Json:
        """Its `secret` is shown this once. `types`: names of events, none means all; `filter`:
        only events of what has these labels.
        """
        body = filled(url=url, types=types, filter=filter, description=description, labels=labels)
        return await self._json("POST", "", json=body)

    async def list(self, *, limit: int | None = None) -> AsyncIterator[Json]:
        """Newest first."""
        async for item in self._client.transport.pages("/webhooks", {"limit": limit}):
            yield item

    async def get(self, webhook: Any) -> Json:
        """Without its secret."""
        return await self._json("GET", f"/{id_of(webhook)}")

    async def update(self, webhook: Any, *, version: int | None = None, **fields: Any) -> Json:
        """url, types, filter, description, labels, state (active, paused); `version`: only of
        this one, else of whichever it is.
        """
        return await self._json("PATCH", f"/{id_of(webhook)}", json=fields, headers=_match(version))

    async def remove(self, webhook: Any, *, version: int | None = None) -> None:
        """Nothing is sent to it any more."""
        path = f"/webhooks/{id_of(webhook)}"
        await self._client.transport.request("DELETE", path, headers=_match(version))

    async def rotate(self, webhook: Any, *, overlap_seconds: int | None = None) -> Json:
        """Another `secret`, shown this once; the one before stays valid for the overlap (a day)."""
        body = filled(overlap_seconds=overlap_seconds)
        return await self._json("POST", f"/{id_of(webhook)}/rotate", json=body)

    async def test(self, webhook: Any) -> Json:
        """Send it a WebhookTested; the delivery, which says within seconds what came of it."""
        return await self._json("POST", f"/{id_of(webhook)}/test")

    async def deliveries(
        self, webhook: Any, *, state: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Json]:
        """Newest first; `state`: pending, delivered or failed."""
        path = f"/webhooks/{id_of(webhook)}/deliveries"
        asked = {"state": state, "limit": limit}
        async for item in self._client.transport.pages(path, asked):
            yield item

    async def delivery(self, webhook: Any, delivery: Any) -> Json:
        """One, with the event that it carries."""
        return await self._json("GET", f"/{id_of(webhook)}/deliveries/{id_of(delivery)}")

    async def replay(
        self,
        webhook: Any,
        deliveries: Sequence[Any] | None = None,
        *,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
    ) -> int:
        """Send again: these deliveries, or every event since a time; how many."""
        path = f"/{id_of(webhook)}/replay"
        if deliveries is not None:
            body: Json = {"delivery_ids": [id_of(one) for one in deliveries]}
            return int((await self._json("POST", path, json=body))["count"])
        count, begin = 0, None if since is None else moment(since)
        while True:
            body = filled(since=begin, until=None if until is None else moment(until))
            found = await self._json("POST", path, json=body)
            count, begin = count + int(found["count"]), found["next_since"]
            if begin is None:
                return count

    @staticmethod
    def verify(headers: Mapping[str, str], body: bytes | str, secret: str, **options: Any) -> Json:
        """For receivers: the event, if the message is from who has the secret, and of now. Raises
        retort.webhooks.BadSignature (a ValueError).
        """
        return verify_message(headers, body, secret, **options)

    async def _json(self, method: str, path: str, **options: Any) -> Json:
        found: Json = await self._client.transport.json(method, f"/webhooks{path}", **options)
        return found


def _match(version: int | None) -> dict[str, str]:
    return {"If-Match": "*" if version is None else f'"{version}"'}
