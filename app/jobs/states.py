"""The job state machine, as one table (drawn in docs/job_states.md, which a test compares)."""

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class Trigger(StrEnum):
    """Why a job changes its state."""

    NEEDS_MET = "needs_met"
    NEED_FAILED = "need_failed"
    NEED_UNUSABLE = "need_unusable"
    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY_LATER = "retry_later"
    RETRY_DUE = "retry_due"
    LEASE_LOST = "lease_lost"
    CRASHED_TOO_OFTEN = "crashed_too_often"
    DRAIN = "drain"
    CANCEL = "cancel"
    STOPPED = "stopped"
    DEADLINE_PASSED = "deadline_passed"
    RETRY_BY_HAND = "retry_by_hand"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """From these states, to that one."""

    sources: frozenset[JobState]
    target: JobState


def _rule(target: JobState, *sources: JobState) -> Rule:
    return Rule(sources=frozenset(sources), target=target)


_W, _Q, _R, _T = JobState.WAITING, JobState.QUEUED, JobState.RUNNING, JobState.RETRYING

#: everything that may happen to a job; whatever is not here is refused by the database statement
RULES: dict[Trigger, Rule] = {
    Trigger.NEEDS_MET: _rule(_Q, _W),
    Trigger.NEED_FAILED: _rule(JobState.FAILED, _W),
    #: what they gave does not fit into the params of this one
    Trigger.NEED_UNUSABLE: _rule(JobState.FAILED, _W),
    Trigger.CLAIM: _rule(_R, _Q),
    Trigger.SUCCEED: _rule(JobState.SUCCEEDED, _R),
    Trigger.FAIL: _rule(JobState.FAILED, _R),
    Trigger.RETRY_LATER: _rule(_T, _R),
    Trigger.RETRY_DUE: _rule(_Q, _T),
    Trigger.LEASE_LOST: _rule(_Q, _R),
    Trigger.CRASHED_TOO_OFTEN: _rule(JobState.FAILED, _R),
    Trigger.DRAIN: _rule(_Q, _R),
    #: nobody works on it: at once
    Trigger.CANCEL: _rule(JobState.CANCELLED, _W, _Q, _T),
    #: the running work saw the request (or its deadline) and stopped
    Trigger.STOPPED: _rule(JobState.CANCELLED, _R),
    Trigger.DEADLINE_PASSED: _rule(JobState.FAILED, _W, _Q, _T),
    #: the single way out of a terminal state: a person's explicit request, logged with who asked
    Trigger.RETRY_BY_HAND: _rule(_Q, JobState.FAILED),
}
