"""Canaries: on by a step, back at a broken guard, by themselves or by hand.

`step_canaries` runs every few seconds, in any number of processes: an endpoint that another one
looks at is skipped. What a step saw are the counts of its own revision, since each step is one.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.errors import Conflict
from app.core.expected import Expected
from app.db.database import Database, cursor_of
from app.db.endpoints import EndpointRevisionRow, EndpointRow
from app.endpoints.active import serving
from app.endpoints.disagreement import Disagreement, compare_pairs
from app.endpoints.guards import Finding, look
from app.endpoints.metering import Counts
from app.endpoints.records import Notices, Stored, locked
from app.endpoints.resolving import ids_in
from app.endpoints.revisions import CanaryState, NewRevision, append, finished, going_back
from app.endpoints.spec import CanarySpec, EndpointSpec
from app.endpoints.stored import Period, arms_of, pairs_of
from app.jobs.outages import is_outage

logger = logging.getLogger(__name__)

_BY = "system:canary"
Action = Literal["pause", "resume", "step", "abort"]
Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is known of a running step."""

    state: CanaryState
    spec: EndpointSpec
    canary: CanarySpec
    mine: Counts
    others: Counts
    findings: Sequence[Finding]
    #: seconds since the step began
    age: float

    @property
    def broken(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict == "broken"]

    @property
    def waits_for(self) -> list[str]:
        """Why it does not go on; empty: it does."""
        missing = []
        if self.state.paused:
            missing.append("it is paused")
        if self.age < self.canary.interval_seconds:
            missing.append(f"{self.canary.interval_seconds - self.age:.0f} s of its step are left")
        if self.mine.requests < self.canary.min_requests:
            missing.append(f"{self.mine.requests} of {self.canary.min_requests} requests were seen")
        unclear = [f.guard for f in self.findings if f.verdict == "unclear"]
        return missing + [f"{guard} is not met, nor proven to be broken" for guard in unclear]

    def as_json(self) -> dict[str, Any]:
        return {
            "step": self.state.step,
            "share": self.state.share,
            "requests": self.mine.requests,
            "other_requests": self.others.requests,
            "seconds": round(self.age, 1),
            "guards": [finding.as_json() for finding in self.findings],
        }


def status(session: Session, stored: Stored, clock: Clock = utc_now) -> dict[str, Any] | None:
    """How far the endpoint's canary is, and what it waits for; None: none runs."""
    seen = _look(session, stored.endpoint, stored.revision, clock())
    if seen is None:
        return None
    return seen.as_json() | {
        "model": seen.canary.model,
        "steps": list(seen.canary.steps),
        "paused": seen.state.paused,
        "since": seen.state.since,
        "goes_back_to": seen.state.base,
        "waits_for": seen.waits_for,
    }


def step_canaries(database: Database, notices: Notices, *, clock: Clock = utc_now) -> list[str]:
    """Looks at every running canary once; what was done, as sentences for the log. An endpoint that
    cannot be looked at is logged, and holds up no other; outages are raised.
    """
    with database.session() as session:
        ids = session.scalars(
            select(EndpointRow.id)
            .join(EndpointRevisionRow, EndpointRevisionRow.endpoint_id == EndpointRow.id)
            .where(
                EndpointRow.state == "active",
                EndpointRevisionRow.active,
                EndpointRevisionRow.canary.is_not(None),
            )
            .order_by(EndpointRow.id)
        ).all()
    done = []
    for endpoint_id in ids:
        try:
            done.append(_step_one(database, notices, endpoint_id, clock))
        except Exception as error:  # a bad canary of another endpoint has to go back
            if is_outage(error):
                raise
            logger.exception("the canary of endpoint %s was not looked at", endpoint_id)
    return [said for said in done if said is not None]


def act(
    database: Database,
    project_id: UUID,
    name: str,
    action: Action,
    notices: Notices,
    *,
    by: str,
    note: str = "",
    expected: Expected = "any",
    clock: Clock = utc_now,
) -> Stored:
    """By hand: pause and resume (the step begins anew), the next step whatever the guards say, or
    back. Raises Conflict (`no_canary`).
    """
    with database.session() as session:
        endpoint = locked(session, project_id, name, expected=expected)
        active = serving(session, endpoint)
        seen = _look(session, endpoint, active, clock())
        if seen is None:
            raise Conflict(f"the endpoint {name} has no canary", code="no_canary")
        new = _by_hand(session, endpoint, active, seen, action, clock())
        notices.warm(ids_in(new.resolved))
        revision = append(session, endpoint, replace(new, by=by, note=note))
    notices.announce()
    return Stored(endpoint=endpoint, revision=revision)


def _step_one(database: Database, notices: Notices, endpoint_id: UUID, clock: Clock) -> str | None:
    with database.session() as session:
        endpoint = session.scalar(
            select(EndpointRow)
            .where(EndpointRow.id == endpoint_id, EndpointRow.state == "active")
            .with_for_update(skip_locked=True)
        )
        if endpoint is None:
            return None
        active = serving(session, endpoint)
        seen = _look(session, endpoint, active, clock())
        new = None if seen is None else _decide(session, endpoint, active, seen, clock())
        if new is None:
            return None
        notices.warm(ids_in(new.resolved))
        revision = append(session, endpoint, new)
    notices.announce()
    return f"endpoint {endpoint.name}: {revision.reason}, {revision.note}"


def _decide(
    session: Session,
    endpoint: EndpointRow,
    active: EndpointRevisionRow,
    seen: Look,
    now: datetime,
) -> NewRevision | None:
    """None: it waits. A paused canary still goes back: a pause is no reason to fail requests."""
    if seen.broken:
        why = "; ".join(f"{finding.guard}: {finding.detail}" for finding in seen.broken)
        back = going_back(session, endpoint, active, seen.state)
        return replace(back, by=_BY, note=why, figures=seen.as_json())
    if seen.waits_for:
        return None
    return replace(_onward(active, seen, now), by=_BY, figures=seen.as_json())


def _onward(active: EndpointRevisionRow, seen: Look, now: datetime) -> NewRevision:
    """The next step, or after the last one the end: the canary is the route. No alias moves."""
    step = seen.state.step + 1
    if step == len(seen.canary.steps):
        return NewRevision(
            spec=finished(seen.spec),
            resolved=active.resolved,
            reason="canary_finished",
            by="",
            note=f"{seen.canary.model} has taken over",
        )
    share = seen.canary.steps[step]
    return NewRevision(
        spec=seen.spec,
        resolved=active.resolved,
        reason="canary_step",
        by="",
        note=f"{seen.canary.model} gets {share:g} %",
        canary=CanaryState(step=step, share=share, since=now, base=seen.state.base),
    )


def _by_hand(
    session: Session,
    endpoint: EndpointRow,
    active: EndpointRevisionRow,
    seen: Look,
    action: Action,
    now: datetime,
) -> NewRevision:
    if action == "abort":
        return replace(going_back(session, endpoint, active, seen.state), figures=seen.as_json())
    if action == "step":
        return replace(_onward(active, seen, now), figures=seen.as_json())
    paused = action == "pause"
    if seen.state.paused == paused:
        said = "paused" if paused else "running"
        raise Conflict(f"the canary of {endpoint.name} is {said} already", code="no_canary")
    return NewRevision(
        spec=seen.spec,
        resolved=active.resolved,
        reason="canary_paused" if paused else "canary_resumed",
        by="",
        canary=replace(seen.state, paused=paused, since=now),
    )


def _look(
    session: Session, endpoint: EndpointRow, active: EndpointRevisionRow, now: datetime
) -> Look | None:
    state = CanaryState.of(active)
    spec = EndpointSpec.model_validate(active.spec)
    if state is None or spec.canary is None:
        return None
    arms = arms_of(cursor_of(session), endpoint.id, Period(revisions=[active.number]))
    model_id = UUID(active.resolved[spec.canary.model]["model_id"])
    mine, others = arms.get((model_id, "live"), Counts()), Counts()
    for (arm, mode), counts in arms.items():
        if mode == "live" and arm != model_id:
            others.add(counts)
    apart = _disagreements(session, endpoint, spec.canary, model_id, state.since)
    return Look(
        state=state,
        spec=spec,
        canary=spec.canary,
        mine=mine,
        others=others,
        findings=look(spec.canary, mine, others, apart),
        age=(now - state.since) / timedelta(seconds=1),
    )


def _disagreements(
    session: Session, endpoint: EndpointRow, canary: CanarySpec, model_id: UUID, since: datetime
) -> list[Disagreement]:
    if canary.guards.disagreement is None:
        return []
    pairs = pairs_of(cursor_of(session), endpoint, model_id, period=Period(since=since))
    return compare_pairs(pairs)
