"""Identifiers: UUIDv7 (RFC 9562), so that an index on ids is in order of creation."""

from uuid import UUID

from uuid6 import uuid7

__all__ = ["UUID", "new_id"]


def new_id() -> UUID:
    """A fresh UUIDv7 as a plain `uuid.UUID`."""
    return UUID(int=uuid7().int)
