"""API keys: who may do what."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from retort._async.transport import AsyncTransport
from retort.answers import filled
from retort.durations import seconds_of
from retort.records import Json

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort

#: "90d", "24h", seconds, or a timedelta
Duration = str | float | timedelta


class AsyncKeys:
    """All but `whoami` is for administrators."""

    def __init__(self, client: "AsyncRetort") -> None:
        self._client = client

    @property
    def _transport(self) -> AsyncTransport:
        return self._client.transport

    async def whoami(self) -> Json:
        """name, kind (key, user), role, rights, project_id, key."""
        found: Json = await self._transport.json("GET", "/keys/whoami")
        return found

    async def create(
        self,
        name: str,
        role: str,
        *,
        scopes: Sequence[str] = (),
        networks: Sequence[str] = (),
        expires: Duration | None = None,
    ) -> Json:
        """A new key; `key` is its text, which is shown this once. `role`: viewer, scientist,
        approver, operator, admin; `scopes` narrow it to some of the role's rights; `networks`: the
        addresses that it may be used from (CIDR).
        """
        body = {"name": name, "role": role, "scopes": [*scopes], "networks": [*networks]}
        body |= filled(expires_in_seconds=None if expires is None else seconds_of(expires))
        found: Json = await self._transport.json("POST", "/keys", json=body)
        return found

    async def list(self, *, limit: int | None = None) -> AsyncIterator[Json]:
        """Newest first, those that have ended too; never a secret."""
        async for item in self._transport.pages("/keys", {"limit": limit}):
            yield item

    async def get(self, prefix: str) -> Json:
        """One by its prefix, the eight characters behind rt_."""
        found: Json = await self._transport.json("GET", f"/keys/{_prefix(prefix)}")
        return found

    async def rotate(
        self, prefix: str, *, overlap: Duration = "24h", expires: Duration | None = None
    ) -> Json:
        """A new key that may do the same, with `key`; the old one works for `overlap` more."""
        body: dict[str, Any] = {"overlap_seconds": seconds_of(overlap)}
        body |= filled(expires_in_seconds=None if expires is None else seconds_of(expires))
        path = f"/keys/{_prefix(prefix)}/rotate"
        found: Json = await self._transport.json("POST", path, json=body)
        return found

    async def revoke(self, prefix: str) -> Json:
        """It stops working within five seconds."""
        found: Json = await self._transport.json("DELETE", f"/keys/{_prefix(prefix)}")
        return found


def _prefix(given: str) -> str:
    """Of a whole key too: its secret has no place in an address, which logs keep."""
    return given.split("_")[1] if given.startswith("rt_") else given
