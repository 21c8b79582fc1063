"""A prediction on its way into the history: made by the gateway after it has answered.

The answer travels as the bytes that were sent; nobody parses it before Postgres does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.core.ids import new_id
from app.history.policy import ALL, HistoryPolicy

Mode = Literal["live", "shadow", "fallback"]


class NamedModel(Protocol):
    """A model version as far as the history names it (a ModelVersionRow is one)."""

    @property
    def id(self) -> UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def number(self) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """One input with its answer."""

    #: {"smiles"?, "features"?, "id"?} as they were given
    given: Mapping[str, Any]
    #: app/prediction/answer_cache.py: input_key(given)
    input_key: str
    #: an item of app/prediction/answers.py, or what answer_cache.split made of one
    answer: Mapping[str, Any] | bytes
    cached: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """A row of `predictions`, as JSON. `id` is made here, so that storing it twice is storing it
    once.
    """

    id: UUID
    body: bytes


def entries_of(
    model: NamedModel,
    items: Iterable[Answered],
    *,
    caller: Principal,
    request_id: str | None,
    mode: Mode = "live",
    policy: HistoryPolicy = ALL,
    endpoint_id: UUID | None = None,
    endpoint_revision: int | None = None,
    latency_ms: float | None = None,
) -> list[HistoryEntry]:
    """Those of `items` that the policy keeps. `latency_ms`: of the whole answer."""
    if policy.store == "none":
        return []
    now = datetime.now(UTC)
    same = {
        "project_id": caller.project_id,
        "created_by": caller.name,
        "created_at": now,
        "expires_at": _after(now, policy.keep_days),
        "model_id": model.id,
        "model_name": model.name,
        "model_number": model.number,
        "endpoint_id": endpoint_id,
        "endpoint_revision": endpoint_revision,
        "mode": mode,
        "request_id": request_id,
        "latency_ms": latency_ms,
    }
    return [_entry(same, item) for item in items if policy.keeps()]


def _after(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now + timedelta(days=days)


def _entry(same: Mapping[str, Any], item: Answered) -> HistoryEntry:
    id_ = new_id()
    row = {
        **same,
        "id": id_,
        "input_hash": item.input_key,
        "input": {name: value for name, value in item.given.items() if value is not None},
        "output": _output(item.answer),
        "cached": item.cached,
    }
    return HistoryEntry(id=id_, body=orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY))


def _output(answer: Mapping[str, Any] | bytes) -> Any:
    """Without what the input says already."""
    if isinstance(answer, bytes):
        return orjson.Fragment(b"{" + answer.removeprefix(b",") + b"}")
    left_out = ("id", "input", "cached")
    return {name: value for name, value in answer.items() if name not in left_out}
