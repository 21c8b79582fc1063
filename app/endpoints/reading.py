"""What an endpoint has done, and how its arms compare, as they are told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.database import cursor_of
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
from app.endpoints.stored import Period, arms_of, minutes_of, outcomes_of, pairs_of

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
    names = _names(session, {model_id for model_id, _ in arms})
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
    """Every other live arm, and every shadow, against one: `baseline`, else the first route's."""
    endpoint = stored.endpoint
    active = active_of(session, endpoint, stored.revision)
    first = baseline or active.arms[0].model_id
    arms = arms_of(cursor_of(session), endpoint.id, Period(since=since))
    others = [
        (arm.model_id, arm.mode) for arm in (*active.arms, *active.shadows) if arm.model_id != first
    ]
    names = _names(session, {first, *(model for model, _ in others), *(key[0] for key in arms)})
    rows = outcomes_of(cursor_of(session), endpoint)
    return {
        "endpoint": endpoint.name,
        "alpha": ALPHA,
        "arms": _arms_json(arms, names),
        "comparisons": [
            _pair(session, endpoint, arms, names, rows, first, second, mode, practical)
            for second, mode in dict.fromkeys(others)
        ],
    }


def _pair(
    session: Session,
    endpoint: EndpointRow,
    arms: _Arms,
    names: Mapping[UUID, str],
    rows: Sequence[Mapping[str, Any]],
    first: UUID,
    second: UUID,
    mode: str,
    practical: float,
) -> dict[str, Any]:
    mine = arms.get((first, "live"), Counts())
    told = compare_arms(mine, arms.get((second, mode), Counts()), practical=practical)
    pairs = pairs_of(cursor_of(session), endpoint, second, live=first) if mode == "shadow" else []
    outcomes = compare_outcomes(rows, first, second)
    named = {"first": names[first], "second": names[second], "mode": mode}
    return {
        **named,
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
