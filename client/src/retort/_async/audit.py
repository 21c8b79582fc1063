"""Who did what: the audit log. All of it asks for an administrator's key."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal
from urllib.parse import urlencode

from retort._async.transport import AsyncTransport
from retort.answers import plain_times
from retort.records import Json

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort


class AsyncAudit:
    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    @property
    def _transport(self) -> AsyncTransport:
        return self._client.transport

    async def list(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Json]:
        """Newest first; `filters`: principal (key:plate-reader), action (registry means
        registry.* too), resource (registry/sol means what is below it too), since, until.
        """
        asked = {**plain_times(filters), "limit": limit}
        async for item in self._transport.pages("/audit", asked):
            yield item

    async def export(
        self,
        target: str | Path | BinaryIO,
        *,
        format: Literal["csv", "jsonl"] = "jsonl",  # noqa: A002 - the server's word
        **filters: Any,
    ) -> None:
        """Write all that match, oldest first, to a path or an open stream; `filters` of `list`."""
        path = f"/audit/export?{urlencode({'format': format, **plain_times(filters)})}"
        await self._client.files._download(path, target, None)  # noqa: SLF001 - same package

    async def verify(self) -> Json:
        """{"entries", "unbroken", "breach": {"number", "entry_id", "reason"} or None, "head",
        "anchors"}: whether any entry was altered or is gone, and which first.
        """
        found: Json = await self._transport.json("GET", "/audit/verify")
        return found
