"""What may be used, and what is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from retort.answers import filled
from retort.records import Json

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort


class AsyncQuotas:
    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    async def usage(self) -> Sequence[Json]:
        """Of the project and of this key: {"scope", "name", "quota", "used", "limit",
        "resets_at"} for queued jobs, GPU hours of this month, stored bytes.
        """
        found: Json = await self._client.transport.json("GET", "/usage")
        items: Sequence[Json] = found["items"]
        return items

    async def list(self) -> Sequence[Json]:
        """Of the project, then of each key. Raises Forbidden unless the key is an
        administrator's.
        """
        found: Json = await self._client.transport.json("GET", "/admin/quotas")
        items: Sequence[Json] = found["items"]
        return items

    async def set(self, key: str | None = None, **quota: float | None) -> Json:
        """Replace the quota of a key, or of the project: queued_jobs, gpu_hours_per_month,
        stored_bytes; of a key also requests_per_second and burst. What is left out has no limit.
        Raises Forbidden unless the key is an administrator's.
        """
        body = filled(key=key, **quota)
        found: Json = await self._client.transport.json("PUT", "/admin/quotas", json=body)
        return found
