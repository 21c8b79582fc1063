"""Revisions: append-only, exactly one active; a change is one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound
from app.db.database import cursor_of
from app.db.endpoints import EndpointRevisionRow, EndpointRow
from app.endpoints.buckets import BUCKETS, apportion, reassign
from app.endpoints.resolving import Resolved
from app.endpoints.spec import EndpointSpec, RouteSpec
from app.endpoints.telling import tell_revision

Reason = Literal[
    "created",
    "updated",
    "canary_step",
    "canary_paused",
    "canary_resumed",
    "canary_rolled_back",
    "canary_finished",
    "rolled_back",
]


@dataclass(frozen=True, kw_only=True)
class CanaryState:
    """How far a canary is; each step is a revision, so its counts are that revision's."""

    #: place in the spec's steps
    step: int
    #: percent of the requests
    share: float
    #: when this step began
    since: datetime
    paused: bool = False
    #: number of the revision to go back to; None: there was none, the canary is left out
    base: int | None

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "since": self.since.isoformat()}

    @classmethod
    def of(cls, row: EndpointRevisionRow) -> "CanaryState | None":
        if row.canary is None:
            return None
        return cls(**{**row.canary, "since": datetime.fromisoformat(row.canary["since"])})


@dataclass(frozen=True, kw_only=True)
class NewRevision:
    """What a revision is made of."""

    spec: EndpointSpec
    resolved: Resolved
    reason: Reason
    by: str
    note: str = ""
    canary: CanaryState | None = None
    restores: int | None = None
    figures: dict[str, Any] | None = None
    #: buckets of a revision that is brought back; None: moved from those of the active one
    buckets: list[Any] | None = None


def append(session: Session, endpoint: EndpointRow, new: NewRevision) -> EndpointRevisionRow:
    """The new active revision; `endpoint` is locked by this transaction (`locked`)."""
    before = find_active(session, endpoint.id)
    newest = session.scalar(
        select(func.max(EndpointRevisionRow.number)).where(
            EndpointRevisionRow.endpoint_id == endpoint.id
        )
    )
    buckets = new.buckets
    if buckets is None:
        buckets = reassign([] if before is None else before.buckets, wanted(new.spec, new.canary))
    session.execute(
        update(EndpointRevisionRow)
        .where(EndpointRevisionRow.endpoint_id == endpoint.id, EndpointRevisionRow.active)
        .values(active=False)
    )
    row = EndpointRevisionRow(
        endpoint_id=endpoint.id,
        number=(newest or 0) + 1,
        active=True,
        reason=new.reason,
        note=new.note,
        created_by=new.by,
        spec=new.spec.model_dump(mode="json"),
        resolved=new.resolved,
        buckets=buckets,
        canary=None if new.canary is None else new.canary.as_json(),
        restores=new.restores,
        figures=new.figures,
    )
    session.add(row)
    changed(endpoint)
    session.flush()
    session.refresh(row)
    session.refresh(endpoint)
    tell_revision(
        cursor_of(session), endpoint, row, before=None if before is None else before.number
    )
    return row


def changed(endpoint: EndpointRow) -> None:
    """Every change has an ETag of its own."""
    endpoint.version += 1
    endpoint.updated_at = func.clock_timestamp()


def wanted(spec: EndpointSpec, canary: CanaryState | None) -> dict[str, int]:
    """Buckets of each live arm. The canary's share is taken from all others by their weights."""
    taken = 0 if canary is None else round(canary.share * BUCKETS / 100)
    weights = {route.model: spec.weight_of(route) for route in spec.live}
    found = apportion(weights, BUCKETS - taken)
    if canary is not None and spec.canary is not None:
        found[spec.canary.model] = taken
    return found


def find_active(session: Session, endpoint_id: UUID) -> EndpointRevisionRow | None:
    return session.scalar(
        select(EndpointRevisionRow).where(
            EndpointRevisionRow.endpoint_id == endpoint_id, EndpointRevisionRow.active
        )
    )


def find_number(session: Session, endpoint: EndpointRow, number: int) -> EndpointRevisionRow:
    """Raises NotFound."""
    row = session.scalar(
        select(EndpointRevisionRow).where(
            EndpointRevisionRow.endpoint_id == endpoint.id, EndpointRevisionRow.number == number
        )
    )
    if row is None:
        raise NotFound(
            f"the endpoint {endpoint.name} has no revision {number}",
            remedy=f"GET /api/v1/endpoints/{endpoint.name}/revisions lists them.",
        )
    return row


def earlier(
    session: Session, endpoint: EndpointRow, active: EndpointRevisionRow
) -> EndpointRevisionRow:
    """What was served before `active`: before its canary, or before what it brought back itself, so
    that a second rollback goes one further back. Raises Conflict when there is none.
    """
    state = CanaryState.of(active)
    if state is not None and state.base is not None:
        return find_number(session, endpoint, state.base)
    row = session.scalar(
        select(EndpointRevisionRow)
        .where(
            EndpointRevisionRow.endpoint_id == endpoint.id,
            EndpointRevisionRow.number < (active.restores or active.number),
            EndpointRevisionRow.restores.is_(None),
            EndpointRevisionRow.canary.is_(None),
        )
        .order_by(EndpointRevisionRow.number.desc())
        .limit(1)
    )
    if row is None:
        raise Conflict(
            f"the endpoint {endpoint.name} has no revision before this one",
            code="no_earlier_revision",
        )
    return row


def without_canary(spec: EndpointSpec) -> EndpointSpec:
    return spec.model_copy(update={"canary": None})


def finished(spec: EndpointSpec) -> EndpointSpec:
    """The canary as the only live route; shadows of its own model fall away."""
    if spec.canary is None:
        return spec
    model = spec.canary.model
    shadows = tuple(route for route in spec.shadows if route.model != model)
    routes = (RouteSpec(model=model, weight=100), *shadows)
    fallback = spec.fallback if spec.fallback and spec.fallback.model != model else None
    return spec.model_copy(update={"canary": None, "routes": routes, "fallback": fallback})


def restored(
    row: EndpointRevisionRow, *, by: str, note: str, reason: Reason = "rolled_back"
) -> NewRevision:
    """`row` once more, with the versions and the buckets that it had."""
    return NewRevision(
        spec=EndpointSpec.model_validate(row.spec),
        resolved=row.resolved,
        reason=reason,
        by=by,
        note=note,
        restores=row.restores or row.number,
        buckets=row.buckets,
    )


def going_back(
    session: Session, endpoint: EndpointRow, active: EndpointRevisionRow, state: CanaryState
) -> NewRevision:
    """What ends a canary: the revision before it, or this one without it."""
    if state.base is not None:
        base = find_number(session, endpoint, state.base)
        return replace(restored(base, by="", note=""), reason="canary_rolled_back")
    return NewRevision(
        spec=without_canary(EndpointSpec.model_validate(active.spec)),
        resolved=active.resolved,
        reason="canary_rolled_back",
        by="",
    )
