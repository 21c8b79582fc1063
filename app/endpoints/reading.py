"""What an endpoint has done, and how its arms compare, as they are told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.database import Cursor, cursor_of
from app.db.endpoints import EndpointRow
from app.db.models import ModelVersionRow
from app.endpoints.active import active_of
from app.endpoints.comparison import (
    ALPHA,
    arm_json,
    compare_answers,
    compare_arms,
    compare_outcomes,
)
from app.endpoints.metering import Counts
from app.endpoints.records import Stored
from app.endpoints.stored import (
    Period,
    arms_of,
    beginnings_of,
    minutes_of,
    outcomes_of,
    pairs_of,
)

_Arms = Mapping[tuple[UUID, str], Counts]
_COUNTS = ("requests", "inputs", "errors", "refused", "cached", "out_of_domain", "fallbacks")


def metrics(
    session: Session, endpoint: EndpointRow, *, since: datetime, revision: int | None = None
) -> dict[str, Any]:
    """Each arm over the time since then, and minute by minute."""
    cursor = cursor_of(session)
    revisions = None if revision is None else [revision]
    arms = arms_of(cursor, endpoint.id, Period(revisions=revisions, since=since))
    rows = [
        row for row in minutes_of(cursor, endpoint.id, since) if revision in (None, row["revision"])
    ]
    # a model that was first asked between the two readings is in the minutes alone
    models = {model_id for model_id, _ in arms} | {row["model_id"] for row in rows}
    names = _names(session, models)
    return {
        "endpoint": endpoint.name,
        "since": since,
        "arms": _arms_json(arms, names),
        "minutes": [_minute_json(row, names) for row in rows],
    }


def comparison(
    session: Session,
    stored: Stored,
    *,
    baseline: UUID | None = None,
    since: datetime | None = None,
    practical: float,
) -> dict[str, Any]:
    """Every other live arm, and every shadow, against one: `baseline`, else the first route's.

    Without `since` two arms are compared over the active revision, from when both were asked in it:
    no arm is judged by weeks in which the other was not there. Earlier revisions are left out, even
    if both took part, because the shares differ: pooled over them, an arm that had more of a bad
    hour is the worse one, however good it is. Within a revision the shares stay, and a canary's
    guards look at no more either. With `since` whatever happened from then on counts, in every
    revision.
    """
    endpoint, cursor = stored.endpoint, cursor_of(session)
    number = stored.revision.number
    active = active_of(session, endpoint, stored.revision)
    first = baseline or active.arms[0].model_id
    period = Period(revisions=[number]) if since is None else Period(since=since)
    arms = arms_of(cursor, endpoint.id, period)
    others = [
        (arm.model_id, arm.mode) for arm in (*active.arms, *active.shadows) if arm.model_id != first
    ]
    read = _Read(
        cursor=cursor,
        endpoint=endpoint,
        period=period,
        begun=beginnings_of(cursor, endpoint.id, number) if since is None else {},
        outcomes=outcomes_of(cursor, endpoint, period),
        names=_names(session, {first, *(m for m, _ in others), *(key[0] for key in arms)}),
        practical=practical,
    )
    return {
        "endpoint": endpoint.name,
        "alpha": ALPHA,
        "arms": _arms_json(arms, read.names),
        "comparisons": [_pair(read, first, second, mode) for second, mode in dict.fromkeys(others)],
    }


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What the comparisons of one endpoint have in common."""

    cursor: Cursor
    endpoint: EndpointRow
    period: Period
    #: when each arm was first asked, where that bounds the period
    begun: Mapping[tuple[UUID, str], datetime]
    #: of the whole period
    outcomes: Sequence[Mapping[str, Any]]
    names: Mapping[UUID, str]
    practical: float

    def period_of(self, *arms: tuple[UUID, str]) -> Period:
        """From when all of them were there. A route that follows its alias changes its model
        within a revision.
        """
        begun = [self.begun[arm] for arm in arms if arm in self.begun]
        return replace(self.period, since=max(begun)) if begun else self.period


def _pair(read: _Read, first: UUID, second: UUID, mode: str) -> dict[str, Any]:
    period = read.period_of((first, "live"), (second, mode))
    arms = arms_of(read.cursor, read.endpoint.id, period)
    told = compare_arms(
        arms.get((first, "live"), Counts()),
        arms.get((second, mode), Counts()),
        practical=read.practical,
    )
    pairs = []
    if mode == "shadow":
        pairs = pairs_of(read.cursor, read.endpoint, second, live=first, period=period)
    # a model's newest prediction of something is within the period if any of them is
    since = period.since
    rows = [row for row in read.outcomes if since is None or row["created_at"] >= since]
    outcomes = compare_outcomes(rows, first, second)
    names = read.names
    return {
        "first": names[first],
        "second": names[second],
        "mode": mode,
        **told,
        "answers": compare_answers(pairs),
        "outcomes": outcomes,
        "conclusion": _conclusion(names[first], names[second], told, outcomes),
    }


def _conclusion(
    first: str, second: str, told: Mapping[str, Any], outcomes: Mapping[str, Any]
) -> list[str]:
    said = [told["error_rate"]["advice"]]
    latency = told["latency_ratio"]
    if latency["is_real"]:
        faster = first if latency["value"] > 1 else second
        said.append(f"{faster} answers faster, and the difference is real")
    for target, found in outcomes.items():
        difference = found["difference"]
        if difference["is_real"]:
            better = first if difference["value"] > 0 else second
            said.append(f"{better} predicts {target} better, and the difference is real")
        else:
            said.append(f"{target}: the measured values so far cannot tell {first} from {second}")
    return said


def _arms_json(arms: _Arms, names: Mapping[UUID, str]) -> list[dict[str, Any]]:
    told = [
        {"model": names[model_id], "model_id": model_id, "mode": mode, **arm_json(counts)}
        for (model_id, mode), counts in arms.items()
    ]
    return sorted(told, key=lambda arm: (arm["mode"], arm["model"]))


def _minute_json(row: Mapping[str, Any], names: Mapping[UUID, str]) -> dict[str, Any]:
    counts = Counts(**{name: row[name] for name in _COUNTS}, latency=list(row["latency"]))
    where = {name: row[name] for name in ("minute", "revision", "model_id", "mode")}
    return {**where, "model": names[row["model_id"]], **arm_json(counts)}


def _names(session: Session, model_ids: set[UUID]) -> dict[UUID, str]:
    """name:number, also of versions that are archived; a purged one is its id."""
    rows = session.execute(
        select(ModelVersionRow.id, ModelVersionRow.name, ModelVersionRow.number).where(
            ModelVersionRow.id.in_(model_ids)
        )
    )
    known = {row.id: f"{row.name}:{row.number}" for row in rows}
    return {model_id: known.get(model_id, str(model_id)) for model_id in model_ids}
