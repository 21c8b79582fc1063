"""The choice of a request's model, in a gateway's memory: a few microseconds, no I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, NamedTuple
from uuid import UUID

from app.endpoints.buckets import BUCKETS
from app.endpoints.spec import HistorySpec

Mode = Literal["live", "shadow", "fallback"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """A model version with a part in an endpoint."""

    #: as the route names it
    ref: str
    model_id: UUID
    name: str
    number: int
    #: live (a canary too), shadow or fallback
    mode: Mode
    #: of a shadow: the share of requests that it predicts too
    sample: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ActiveRevision:
    """What an endpoint means now, whole: a gateway keeps it until a pointer moves."""

    endpoint_id: UUID
    project_id: UUID
    name: str
    number: int
    #: hashed before a key
    salt: bytes
    sticky: Literal["key", "structure", "none"]
    #: live arms
    arms: tuple[Arm, ...]
    #: (BUCKETS,) places in `arms`
    table: bytes
    shadows: tuple[Arm, ...]
    fallback: Arm | None
    fallback_when: frozenset[str]
    history: HistorySpec
    cache: bool
    deadline_ms: int | None
    min_replicas: int

    def model_ids(self) -> tuple[UUID, ...]:
        """Every version that may answer or shadow, those that somebody waits for first."""
        fallback = () if self.fallback is None else (self.fallback,)
        arms = (*self.arms, *fallback, *self.shadows)
        return tuple(dict.fromkeys(arm.model_id for arm in arms))


class Plan(NamedTuple):
    live: Arm
    shadows: tuple[Arm, ...]
    fallback: Arm | None


def sticky_key(
    revision: ActiveRevision, *, header: str | None, field: str | None, structure: str | None
) -> str | None:
    """What a request sticks to: the header X-Retort-Key before the body's `sticky_key`, or the
    input as it is written (a gateway knows no chemistry: CCO and OCC are two).
    """
    if revision.sticky == "structure":
        return structure
    return header or field


def plan(revision: ActiveRevision, *, key: str | None, draw: Callable[[], float]) -> Plan:
    """Who answers, who predicts too, who steps in. `draw`: uniform in [0, 1), as random.random; it
    decides where there is no key, and which requests a shadow gets.
    """
    if key is None or revision.sticky == "none":
        bucket = int(draw() * BUCKETS)
    else:
        bucket = bucket_of(revision.salt, key)
    live = revision.arms[revision.table[bucket]]
    shadows = revision.shadows
    if shadows:
        shadows = tuple(
            arm
            for arm in shadows
            if arm.model_id != live.model_id and (arm.sample >= 1.0 or draw() < arm.sample)
        )
    return Plan(live, shadows, revision.fallback)


def bucket_of(salt: bytes, key: str) -> int:
    """The same in every process; 64 bits of SHA-256, so that the remainder is even to 1e-15."""
    digest = sha256(salt + key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def salt_of(endpoint_id: UUID, salt: str) -> bytes:
    """Per endpoint: a key's place in one says nothing about its place in another."""
    return endpoint_id.bytes + salt.encode()
