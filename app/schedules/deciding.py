"""The last step of a retraining: promote, hold for approval, or keep.

By the registry's own gate (app/registry/gate.py): its checks, its paired interval, its policy where
the alias has one. The gate is computed outside of any transaction and may be computed twice; what
follows from it is one transaction that finds the run still running, or does nothing.
"""

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.audit import record
from app.access.principal import Principal
from app.core.errors import Conflict
from app.db.evaluations import EvaluationRow
from app.db.models import ModelVersionRow
from app.db.registry import AliasPolicyRow
from app.db.schedules import ScheduleRow, ScheduleRunRow
from app.models.pointers import announce
from app.models.reference import alias_word
from app.models.warming import warm
from app.registry.aliases import Plan, move, plan_promotion
from app.registry.policies import policy_json
from app.resources import Resources
from app.schedules.records import database_now
from app.schedules.retraining import (
    TRAINING,
    holder_of,
    newest_evaluation_job,
    version_by_job,
)
from app.schedules.spec import RetrainSpec
from app.schedules.starting import principal_of

logger = logging.getLogger(__name__)
_FOUR_EYES = "four_eyes"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is decided about."""

    schedule: ScheduleRow
    run: ScheduleRunRow
    spec: RetrainSpec
    candidate: ModelVersionRow
    holder: ModelVersionRow | None
    plan: Plan
    #: of the alias, or else of the schedule
    policy: dict[str, Any]

    @property
    def ref(self) -> str:
        return f"{self.candidate.name}:{self.candidate.number}"


def decide(resources: Resources, run_id: UUID) -> None:
    """Once its jobs have succeeded. Raises outages, after which the next look decides."""
    from app.registry.questions import check_move

    with resources.database.session() as session:
        run = session.get_one(ScheduleRunRow, run_id)
        case = case_of(session, session.get_one(ScheduleRow, run.schedule_id), run)
        approver = principal_of(case.schedule)
    if _is_outdated(case):
        _finish(resources, case, None, "kept", "the champion has changed since the run began")
        return
    gate = check_move(resources, case.plan.question(case.policy, approver.name))["gate"]
    state, reason = _verdict(case, gate)
    _finish(resources, case, gate, state, reason)


def case_of(session: Session, row: ScheduleRow, run: ScheduleRunRow) -> Case:
    """Raises Conflict when the new version is archived by now."""
    spec = RetrainSpec.model_validate(run.details["spec"])
    candidate = version_by_job(session, UUID(run.details["jobs"][TRAINING]))
    if candidate is None:
        raise Conflict(
            f"the version that run {run.id} trained is no more",
            remedy="Run the schedule again.",
        )
    evaluation = session.scalar(
        select(EvaluationRow.id)
        .where(EvaluationRow.job_id == UUID(newest_evaluation_job(run.details)))
        .limit(1)
    )
    plan = plan_promotion(
        session,
        row.project_id,
        candidate.name,
        candidate.number,
        spec.alias,
        evaluation_id=evaluation,
    )
    return Case(
        schedule=row,
        run=run,
        spec=spec,
        candidate=candidate,
        holder=holder_of(session, principal_of(row), spec),
        plan=plan,
        policy=_policy(session, row, run, spec),
    )


def _policy(
    session: Session, row: ScheduleRow, run: ScheduleRunRow, spec: RetrainSpec
) -> dict[str, Any]:
    """The alias's own, or one of the schedule's wishes; the rows are those of the run unless the
    alias names others.
    """
    word = alias_word(spec.alias)
    on = {
        "dataset_id": run.details["evaluate_on_id"],
        "evaluation_dataset": run.details["evaluate_on"],
    }
    own = session.get(AliasPolicyRow, (row.project_id, spec.model, word), populate_existing=True)
    if own is not None:
        policy = policy_json(session, own)
        return policy if policy["dataset_id"] is not None else {**policy, **on}
    return {
        "alias": word,
        **on,
        "metric": spec.metric,
        "min_delta": spec.min_delta,
        "confidence": spec.confidence,
        "required": True,
        "four_eyes": False,
        "max_latency_ms": None,
        "changed_at": row.updated_at.isoformat(),
        "changed_by": row.created_by,
    }


def _is_outdated(case: Case) -> bool:
    """Somebody moved the alias: the versions were not compared on the same rows."""
    now = None if case.plan.holder_id is None else str(case.plan.holder_id)
    then: str | None = case.run.details["champion_id"]
    return now != then


def _verdict(case: Case, gate: dict[str, Any]) -> tuple[str, str]:
    """(promote | hold | kept, why)."""
    failed = [check for check in gate["checks"] if not check["passed"]]
    # the schedule may not approve what it has trained itself; somebody else may
    others = [check for check in failed if check["check"] != _FOUR_EYES]
    if others:
        return "kept", "; ".join(check["detail"] for check in others)
    told = next((c["detail"] for c in gate["checks"] if c["check"] == "not_worse"), "it passes")
    if case.spec.then == "keep":
        return "kept", f"{told}; the schedule promotes nothing"
    name = case.schedule.name
    ask = f"retort schedule approve {name} {case.run.id}"
    if failed:
        return "hold", f"{told}; somebody else must approve: {ask}"
    if case.spec.then == "hold":
        return "hold", f"{told}; approve: {ask}, or: retort schedule reject {name} {case.run.id}"
    return "promote", told


def _finish(
    resources: Resources, case: Case, gate: dict[str, Any] | None, verdict: str, reason: str
) -> None:
    if verdict == "promote":
        warm(resources.publisher, [case.plan.model_id]).wait()
    with resources.database.session() as session:
        run = session.get_one(
            ScheduleRunRow, case.run.id, with_for_update=True, populate_existing=True
        )
        if run.state != "running":
            return  # another one was faster
        run.reason = reason
        run.details = {**run.details, "candidate": case.ref, "gate": gate}
        if verdict == "hold":
            run.state = "held"
            return
        if verdict == "promote":
            by = principal_of(case.schedule)
            _promote(session, case, run, by, gate, reason)
        else:
            end(session, run, "kept")
    if verdict == "promote":
        announce(resources.cache)


def _promote(
    session: Session,
    case: Case,
    run: ScheduleRunRow,
    by: Principal,
    gate: dict[str, Any] | None,
    note: str,
) -> None:
    move(session, case.plan, by=by.name, note=_note(case, note), gate=gate)
    end(session, run, "promoted")
    record(
        session,
        by,
        "schedules.promote",
        f"schedules/{case.schedule.name}",
        run=str(run.id),
        model=case.ref,
        alias=case.plan.alias,
        before=run.details["champion"],
    )


def _note(case: Case, note: str) -> str:
    return f"schedule {case.schedule.name}, run {case.run.id}: {note}"[:1_000]


def end(session: Session, run: ScheduleRunRow, outcome: str) -> None:
    run.state, run.outcome, run.finished_at = "succeeded", outcome, database_now(session)


# ---- by a person


def held_case(session: Session, row: ScheduleRow, run: ScheduleRunRow) -> Case:
    """Raises Conflict when there is nothing to decide, or it was compared with another champion."""
    if run.state != "held":
        raise Conflict(f"run {run.id} of {row.name} is {run.state}", code="run_not_held")
    case = case_of(session, row, run)
    if _is_outdated(case):
        raise Conflict(
            f"{case.spec.model}@{case.plan.alias} has changed since run {run.id} compared with it",
            code="run_outdated",
            remedy=f"Reject it, then run the schedule again: retort schedule run {row.name}.",
        )
    return case


def approve(
    session: Session,
    case: Case,
    by: Principal,
    gate: dict[str, Any] | None,
    note: str,
) -> ScheduleRunRow:
    """`gate`: passed, with `by` as the approver. Raises Conflict when somebody was faster."""
    run = _still_held(session, case.schedule, case.run.id)
    run.details = {**run.details, "gate": gate}
    run.decided_by = by.name
    _promote(session, case, run, by, gate, note or "approved")
    session.flush()
    return run


def reject(
    session: Session, row: ScheduleRow, run_id: UUID, by: Principal, note: str
) -> ScheduleRunRow:
    """The new version is kept, and not promoted."""
    run = _still_held(session, row, run_id)
    run.decided_by, run.reason = by.name, note or f"rejected by {by.name}"
    end(session, run, "rejected")
    record(session, by, "schedules.reject", f"schedules/{row.name}", run=str(run.id), note=note)
    session.flush()
    return run


def _still_held(session: Session, row: ScheduleRow, run_id: UUID) -> ScheduleRunRow:
    run = session.get_one(ScheduleRunRow, run_id, with_for_update=True, populate_existing=True)
    if run.state != "held":
        raise Conflict(f"run {run.id} of {row.name} is {run.state}", code="run_not_held")
    return run
