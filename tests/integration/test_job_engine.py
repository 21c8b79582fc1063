"""The job engine on real Postgres: claims, fences, sweeps, retries, chunks, needs."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import psycopg.sql
import pytest
from sqlalchemy import text

from app.core.errors import (
    Conflict,
    DeadlineExceeded,
    IdempotencyInProgress,
    IdempotencyMismatch,
    InvalidInput,
    JobCancelled,
    LeaseLost,
    NotFound,
    Retryable,
    TooManyJobs,
)
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.work import ChunkSpec, FanOut, Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.db.database import Database
from app.jobs import chunks as chunk_store
from app.jobs.claim import Owner, beat, claim_finalize, claim_job
from app.jobs.control import request_cancel, retry_failed
from app.jobs.finish import MAX_OUTAGES, backoff_seconds, end_badly, put_back, succeed
from app.jobs.states import RULES, JobState, Trigger
from app.jobs.store import get_job, list_attempts, list_events, list_jobs
from app.jobs.submit import IdempotencyKey, NewJob, submit_job
from app.jobs.sweeper import sweep
from app.jobs.transition import transition
from app.jobs.waiting_room import WaitingRoom
from app.jobs.worker_rows import end_claims, keep_leases, put_back_all, too_much_memory
from tests.support.waiting import wait_for
from workers import job_task

SETTINGS = Settings()
OWNER = Owner(worker="cpu@test#1", pid=101)
OTHER = Owner(worker="cpu@test#2", pid=202)
LEASE = 60.0
LIMIT = chunk_store.TimeLimit(base=60, per_row=0.5)


def submitted(database, **changes):
    values = {
        "project_id": DEFAULT_PROJECT_ID,
        "kind": "train",
        "queue": "cpu",
        "params": {"n": 1},
        "created_by": "test",
        **changes,
    }
    return submit_job(database, NewJob(**values)).job


def claimed(database, owner=OWNER, **changes):
    job = submitted(database, **changes)
    return claim_job(database, job.id, owner, lease_seconds=LEASE)


def now(database, job):
    return get_job(database, DEFAULT_PROJECT_ID, job.id)


def execute(database, statement, **values):
    with database.cursor() as cursor:
        cursor.execute(statement, values)


def expire_lease(database, job):
    execute(
        database,
        "UPDATE jobs SET lease_expires_at = now() - interval '1 s' WHERE id = %(id)s",
        id=job.id,
    )


def states_in_log(database, job):
    return [e.data["state"] for e in list_events(database, job.id) if e.type == "state"]


# ---- submit


def test_a_submitted_job_is_queued_with_its_first_event(database):
    job = submitted(database, labels={"assay": "sol"})
    assert job.state == JobState.QUEUED
    assert job.dispatched_at is not None
    assert states_in_log(database, job) == ["queued"]
    assert now(database, job) == job


def test_a_job_of_another_project_is_not_found(database):
    job = submitted(database)
    with pytest.raises(NotFound):
        get_job(database, new_id(), job.id)


def plain():
    return NewJob(
        project_id=DEFAULT_PROJECT_ID, kind="train", queue="cpu", params={}, created_by="me"
    )


def key(body="a"):
    return IdempotencyKey(scope="p:me:jobs", key="key-12345", body_hash=body)


def test_the_same_key_and_body_is_the_first_job(database):
    new = plain()
    first = submit_job(database, new, idempotency=key())
    again = submit_job(
        database,
        plain(),
        idempotency=key(),
    )
    assert (first.replayed, again.replayed) == (False, True)
    assert again.job.id == first.job.id
    assert len(list_jobs(database, DEFAULT_PROJECT_ID)) == 1


def test_the_same_key_with_another_body_is_refused(database):
    new = plain()
    submit_job(database, new, idempotency=key("a"))
    with pytest.raises(IdempotencyMismatch):
        submit_job(database, new, idempotency=key("b"))


def test_two_hundred_concurrent_duplicates_are_one_job(database):
    ids, refused = set(), []

    def once(_):
        new = plain()
        while True:
            try:
                ids.add(submit_job(database, new, idempotency=key()).job.id)
            except IdempotencyInProgress:
                refused.append(1)
                time.sleep(0.01)
            else:
                return

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(once, range(200)))
    assert len(ids) == 1
    assert len(list_jobs(database, DEFAULT_PROJECT_ID, limit=200)) == 1


def test_a_failed_preparation_leaves_nothing(database):
    def prepare(session, new):
        session.execute(text("UPDATE projects SET name = 'half'"))
        raise InvalidInput("no")

    new = plain()
    with pytest.raises(InvalidInput):
        submit_job(database, new, prepare=prepare, idempotency=key())
    assert list_jobs(database, DEFAULT_PROJECT_ID) == []
    assert not submit_job(database, new, idempotency=key()).replayed


# ---- claim, heartbeat, fence


def test_only_one_of_many_claims_wins(database):
    job = submitted(database)
    with ThreadPoolExecutor(8) as pool:
        won = list(
            pool.map(lambda _: claim_job(database, job.id, OWNER, lease_seconds=LEASE), range(24))
        )
    winners = [w for w in won if w is not None]
    assert len(winners) == 1
    assert winners[0].attempt == 1
    assert [a["attempt"] for a in list_attempts(database, job.id)] == [1]


def test_a_zombie_can_neither_beat_nor_finish_and_its_rows_vanish(database):
    zombie = claimed(database)
    expire_lease(database, zombie)
    sweep(database, SETTINGS)
    heir = claim_job(database, zombie.id, OTHER, lease_seconds=LEASE)
    assert heir.attempt == 2

    assert not beat(database, zombie.id, zombie.claim_token, lease_seconds=LEASE).owned

    def commit(session):
        session.execute(text("UPDATE projects SET name = 'zombie was here'"))

    with pytest.raises(LeaseLost):
        succeed(database, zombie, Outcome(result={"by": "zombie"}, commit=commit))
    assert succeed(database, heir, Outcome(result={"by": "heir"})) == []
    assert now(database, zombie).result == {"by": "heir"}
    with database.cursor() as cursor:
        cursor.execute("SELECT name FROM projects")
        assert cursor.fetchone()["name"] == "default"


def test_a_commit_that_raises_leaves_the_job_running_and_nothing_written(database):
    job = claimed(database)

    def commit(session):
        session.execute(text("UPDATE projects SET name = 'half'"))
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError):
        succeed(database, job, Outcome(result={}, commit=commit))
    assert now(database, job).state == JobState.RUNNING
    with database.cursor() as cursor:
        cursor.execute("SELECT name FROM projects")
        assert cursor.fetchone()["name"] == "default"


def test_a_heartbeat_renews_the_lease_and_writes_progress(database):
    job = claimed(database)
    expire_lease(database, job)
    pulse = beat(database, job.id, job.claim_token, lease_seconds=LEASE, progress={"percent": 40.0})
    assert pulse.owned
    assert not pulse.cancel_requested
    fresh = now(database, job)
    assert fresh.progress == {"percent": 40.0}
    assert fresh.version == job.version, "progress is no change of state"
    assert sweep(database, SETTINGS).found == {}


def test_the_state_of_an_ended_job_is_never_rewritten(database):
    job = claimed(database)
    succeed(database, job, Outcome(result={"x": 1}))
    end_badly(database, job, RuntimeError("late"))
    put_back(database, job)
    request_cancel(database, DEFAULT_PROJECT_ID, job.id, by="me")
    expire_lease(database, job)
    sweep(database, SETTINGS)
    assert now(database, job).state == JobState.SUCCEEDED
    assert states_in_log(database, job) == ["queued", "running", "succeeded"]


@pytest.mark.parametrize("trigger", Trigger)
@pytest.mark.parametrize("state", JobState)
def test_the_database_refuses_what_the_table_does_not_allow(database, state, trigger):
    job = submitted(database)
    execute(database, "UPDATE jobs SET state = %(s)s WHERE id = %(id)s", s=state.value, id=job.id)
    with database.cursor() as cursor:
        moved = transition(cursor, trigger, condition="id = %(id)s", values={"id": job.id})
    allowed = state in RULES[trigger].sources
    assert bool(moved) == allowed
    assert now(database, job).state == (RULES[trigger].target if allowed else state)


# ---- endings


def test_a_users_mistake_fails_at_once_with_the_problem(database):
    job = claimed(database)
    end_badly(database, job, InvalidInput("no such column", remedy="name another"))
    failed = now(database, job)
    assert failed.state == JobState.FAILED
    assert failed.error["code"] == "invalid_input"
    assert failed.error["remedy"] == "name another"
    assert list_attempts(database, job.id)[0]["outcome"] == "failed"


def test_an_unexpected_error_tells_no_trace(database):
    job = claimed(database)
    end_badly(database, job, KeyError("/secret/path"))
    assert "secret" not in str(now(database, job).error)


@pytest.mark.parametrize(
    "error", [Retryable("later"), psycopg.OperationalError("gone"), ConnectionRefusedError()]
)
def test_an_outage_is_tried_again_after_a_pause_and_costs_no_attempt(database, error):
    job = claimed(database, max_attempts=1)
    end_badly(database, job, error)
    waiting = now(database, job)
    assert waiting.state == JobState.RETRYING
    assert waiting.run_at > waiting.created_at
    assert sweep(database, SETTINGS).jobs == [], "not due yet"
    execute(database, "UPDATE jobs SET run_at = now() WHERE id = %(id)s", id=job.id)
    assert [j.id for j in sweep(database, SETTINGS).jobs] == [job.id]
    second = claim_job(database, job.id, OTHER, lease_seconds=LEASE)
    assert (second.attempt, second.max_attempts) == (2, 2)
    end_badly(database, second, InvalidInput("the second run finds a mistake"))
    assert now(database, job).state == JobState.FAILED


def test_an_outage_without_end_fails_the_job_in_the_end(database):
    job = claimed(database)
    execute(
        database,
        "INSERT INTO job_events (job_id, type) SELECT id, 'outage' FROM jobs,"
        " generate_series(1, %(n)s)",
        n=MAX_OUTAGES,
    )
    end_badly(database, now(database, job), Retryable("still away"))
    ended = now(database, job)
    assert (ended.state, ended.error["code"]) == (JobState.FAILED, "temporary_failure")


def test_the_pauses_of_an_outage_grow_to_an_hour_in_all():
    pauses = [backoff_seconds(n, Retryable("away")) for n in range(MAX_OUTAGES)]
    assert 2.5 <= pauses[0] <= 5
    assert 300 <= pauses[-1] <= 600
    assert 1800 < sum(pauses) < 2 * 3600


def test_a_retryable_error_says_when(database):
    job = claimed(database)
    end_badly(database, job, Retryable("later", after=3600))
    fresh = now(database, job)
    assert 3500 < (fresh.run_at - fresh.created_at).total_seconds() < 3700


def test_draining_spends_no_attempt(database):
    job = claimed(database)
    put_back(database, job)
    fresh = now(database, job)
    assert (fresh.state, fresh.attempt, fresh.claim_token) == (JobState.QUEUED, 0, None)
    assert [j.id for j in sweep(database, SETTINGS).jobs] == [job.id], "sent again at once"
    assert claim_job(database, job.id, OTHER, lease_seconds=LEASE).attempt == 1


def test_a_second_crash_quarantines_the_job(database):
    job = claimed(database)
    expire_lease(database, job)
    assert sweep(database, SETTINGS).found["lost_jobs"] == 1
    again = claim_job(database, job.id, OTHER, lease_seconds=LEASE)
    expire_lease(database, again)
    sweep(database, SETTINGS)
    failed = now(database, job)
    assert failed.state == JobState.FAILED
    assert failed.error["code"] == "lost_worker"
    assert [a["outcome"] for a in list_attempts(database, job.id)] == ["lost", "lost"]


def test_retry_by_hand_gives_one_more_attempt_and_is_logged(database):
    job = claimed(database, max_attempts=1)
    end_badly(database, job, InvalidInput("no"))
    retried = retry_failed(database, DEFAULT_PROJECT_ID, job.id, by="ana")
    assert (retried.state, retried.max_attempts, retried.error) == (JobState.QUEUED, 2, None)
    assert list_events(database, job.id)[-1].data["by"] == "ana"
    with pytest.raises(Conflict):
        retry_failed(database, DEFAULT_PROJECT_ID, job.id, by="ana")


# ---- cancel, deadline


def test_a_queued_job_is_cancelled_at_once(database):
    job = submitted(database)
    cancelled = request_cancel(database, DEFAULT_PROJECT_ID, job.id, by="ana")
    assert cancelled.state == JobState.CANCELLED
    assert cancelled.error["code"] == "cancelled_by_user"
    assert claim_job(database, job.id, OWNER, lease_seconds=LEASE) is None


def test_a_running_job_is_asked_to_stop(database):
    job = claimed(database)
    asked = request_cancel(database, DEFAULT_PROJECT_ID, job.id, by="ana")
    assert asked.state == JobState.RUNNING
    assert beat(database, job.id, job.claim_token, lease_seconds=LEASE).cancel_requested
    end_badly(database, job, JobCancelled("stopped"))
    assert now(database, job).state == JobState.CANCELLED


def test_a_cancelled_job_whose_worker_dies_is_cancelled_not_run_again(database):
    job = claimed(database)
    request_cancel(database, DEFAULT_PROJECT_ID, job.id, by="ana")
    expire_lease(database, job)
    sweep(database, SETTINGS)
    assert now(database, job).state == JobState.CANCELLED


def test_a_deadline_passed_in_the_queue_fails_without_starting(database):
    job = submitted(database, deadline_seconds=-1)
    assert claim_job(database, job.id, OWNER, lease_seconds=LEASE) is None
    sweep(database, SETTINGS)
    failed = now(database, job)
    assert (failed.state, failed.attempt) == (JobState.FAILED, 0)
    assert failed.error["code"] == "deadline_exceeded"


def test_a_running_job_learns_that_its_deadline_passed(database):
    job = claimed(database, deadline_seconds=3600)
    execute(database, "UPDATE jobs SET deadline_at = now() - interval '1 s'")
    assert beat(database, job.id, job.claim_token, lease_seconds=LEASE).deadline_passed


# ---- needs


def test_a_job_waits_for_all_its_needs(database):
    first, second = claimed(database), claimed(database)
    job = submitted(database, needs=(first.id, second.id))
    assert job.state == JobState.WAITING
    assert job.needs == tuple(sorted((first.id, second.id))) or set(job.needs) == {
        first.id,
        second.id,
    }
    assert succeed(database, first, Outcome(result={})) == []
    ready = succeed(database, second, Outcome(result={}))
    assert [j.id for j in ready] == [job.id]
    assert now(database, job).state == JobState.QUEUED


def test_a_need_that_has_succeeded_does_not_delay(database):
    first = claimed(database)
    succeed(database, first, Outcome(result={}))
    assert submitted(database, needs=(first.id,)).state == JobState.QUEUED


def test_failure_travels_down_the_chain(database):
    first = claimed(database)
    second = submitted(database, needs=(first.id,))
    third = submitted(database, needs=(second.id,))
    end_badly(database, first, InvalidInput("no"))
    for job in (second, third):
        failed = now(database, job)
        assert failed.state == JobState.FAILED
        assert failed.error["code"] == "dependency_failed"


def test_needing_a_job_that_does_not_exist_stores_nothing(database):
    with pytest.raises(NotFound):
        submitted(database, needs=(new_id(),))
    assert list_jobs(database, DEFAULT_PROJECT_ID) == []


def test_the_sweeper_promotes_what_was_missed(database):
    first = claimed(database)
    job = submitted(database, needs=(first.id,))
    execute(database, "UPDATE jobs SET state = 'succeeded' WHERE id = %(id)s", id=first.id)
    assert [j.id for j in sweep(database, SETTINGS).jobs] == [job.id]


# ---- lost messages


def test_a_message_that_nobody_picked_up_is_sent_again(database):
    job = submitted(database)
    assert sweep(database, SETTINGS).jobs == [], "it may still be on its way"
    execute(database, "UPDATE jobs SET dispatched_at = now() - interval '13 s'")
    assert [j.id for j in sweep(database, SETTINGS).jobs] == [job.id]
    assert sweep(database, SETTINGS).jobs == [], "patience doubles"
    execute(database, "UPDATE jobs SET dispatched_at = now() - interval '13 s'")
    assert sweep(database, SETTINGS).jobs == []
    found = sweep(database, SETTINGS, empty_queues=frozenset({"cpu"}))
    assert [j.id for j in found.jobs] == [job.id], "but not when the broker holds nothing"


def test_two_sweepers_at_once_send_once(database):
    for _ in range(20):
        submitted(database)
    execute(database, "UPDATE jobs SET dispatched_at = now() - interval '13 s'")
    barrier = threading.Barrier(4)

    def one(_):
        barrier.wait()
        return [job.id for job in sweep(database, SETTINGS).jobs]

    with ThreadPoolExecutor(4) as pool:
        sent = [job_id for ids in pool.map(one, range(4)) for job_id in ids]
    assert len(sent) == len(set(sent)) == 20


# ---- divided jobs


def divided(database, chunks=3, rows=100, unit="row"):
    job = claimed(database, kind="predict", queue="predict")
    specs = [
        ChunkSpec(source={"key": f"part-{n}"}, start_row=0, stop_row=rows) for n in range(chunks)
    ]
    assert chunk_store.fan_out(database, job, FanOut(chunks=specs, unit=unit), LIMIT) == list(
        range(chunks)
    )
    return job


def take(database, job, number, owner=OWNER):
    return chunk_store.claim_chunk(database, job.id, number, owner, lease_seconds=LEASE)


def crash(database, chunk):
    execute(
        database,
        "UPDATE job_chunks SET lease_expires_at = now() - interval '1 s'"
        " WHERE job_id = %(j)s AND chunk = %(c)s",
        j=chunk.job_id,
        c=chunk.chunk,
    )
    return sweep(database, SETTINGS)


def test_a_divided_job_is_finalized_once_after_its_last_chunk(database):
    job = divided(database)
    for number in (2, 0):
        chunk_store.finish_chunk(database, take(database, job, number), {"n": number})
    assert claim_finalize(database, job.id, OWNER, lease_seconds=LEASE) is None
    assert now(database, job).progress["percent"] == pytest.approx(66.7)
    chunk_store.finish_chunk(database, take(database, job, 1), {"n": 1})
    final = claim_finalize(database, job.id, OWNER, lease_seconds=LEASE)
    assert claim_finalize(database, job.id, OTHER, lease_seconds=LEASE) is None, "body twice"
    assert [r.result["n"] for r in chunk_store.chunk_results(database, job.id)] == [0, 1, 2]
    succeed(database, final, Outcome(result={}))
    assert now(database, job).state == JobState.SUCCEEDED


def test_a_chunk_delivered_ten_times_runs_once(database):
    job = divided(database)
    assert sum(take(database, job, 0) is not None for _ in range(10)) == 1


def test_the_sweeper_finalizes_when_the_chords_body_never_comes(database):
    job = divided(database, chunks=1)
    chunk_store.finish_chunk(database, take(database, job, 0), {})
    execute(database, "UPDATE jobs SET dispatched_at = now() - interval '6 s'")
    assert [j.id for j in sweep(database, SETTINGS).finalize] == [job.id]


def test_a_zombie_chunk_is_refused(database):
    job = divided(database)
    zombie = take(database, job, 0)
    crash(database, zombie)
    heir = take(database, job, 0, OTHER)
    with pytest.raises(LeaseLost):
        chunk_store.finish_chunk(database, zombie, {"by": "zombie"})
    chunk_store.finish_chunk(database, heir, {"by": "heir"})
    assert chunk_store.chunk_results(database, job.id)[0].result == {"by": "heir"}


def test_a_poisonous_row_is_found_by_bisection_and_the_rest_is_delivered(database):
    job = divided(database, chunks=2, rows=100)
    poison, claims = 37, 0
    for _ in range(60):
        with database.cursor() as cursor:
            cursor.execute("SELECT chunk FROM job_chunks WHERE state = 'queued' ORDER BY chunk")
            queued = [row["chunk"] for row in cursor.fetchall()]
        if not queued:
            break
        for number in queued:
            chunk = take(database, job, number)
            claims += 1
            spec = chunk.spec
            if spec.source["key"] == "part-1" and spec.start_row <= poison < spec.stop_row:
                crash(database, chunk)
            else:
                rows = [spec.start_row, spec.stop_row]
                chunk_store.finish_chunk(database, chunk, {"rows": rows})
    results = chunk_store.chunk_results(database, job.id)
    failed = [r for r in results if r.state == "failed"]
    assert [(r.spec.start_row, r.spec.stop_row) for r in failed] == [(poison, poison + 1)]
    assert "crashed" in failed[0].reason
    for part in ("part-0", "part-1"):
        pieces = [
            (r.spec.start_row, r.spec.stop_row) for r in results if r.spec.source["key"] == part
        ]
        assert pieces == sorted(pieces), "in the order of the rows"
        assert [p[0] for p in pieces] == [0, *[p[1] for p in pieces[:-1]]], "no gap, no overlap"
        assert pieces[-1][1] == 100
    assert claims < 30
    assert claim_finalize(database, job.id, OWNER, lease_seconds=LEASE) is not None


def test_cancelling_a_divided_job_drops_what_has_not_begun(database):
    job = divided(database)
    running = take(database, job, 0)
    request_cancel(database, DEFAULT_PROJECT_ID, job.id, by="ana")
    sweep(database, SETTINGS)
    assert now(database, job).state == JobState.RUNNING, "one chunk still runs"
    assert take(database, job, 1) is None
    assert chunk_store.beat_chunk(database, running, lease_seconds=LEASE).cancel_requested
    chunk_store.cancel_chunk(database, running, JobCancelled("x").problem())
    sweep(database, SETTINGS)
    assert now(database, job).state == JobState.CANCELLED


def test_a_deadline_stops_a_divided_job(database):
    job = divided(database)
    execute(database, "UPDATE jobs SET deadline_at = now() - interval '1 s'")
    sweep(database, SETTINGS)
    ended = now(database, job)
    assert (ended.state, ended.error["code"]) == (JobState.CANCELLED, "deadline_exceeded")


def test_an_outage_in_a_chunk_is_tried_again(database):
    job = divided(database)
    chunk = take(database, job, 0)
    chunk_store.retry_chunk(database, chunk, after_seconds=60, problem=Retryable("x").problem())
    assert take(database, job, 0) is None, "not before the pause is over"
    execute(database, "UPDATE job_chunks SET run_at = now()")
    assert (0, job.id) in [(c.chunk, c.job_id) for c in sweep(database, SETTINGS).chunks]
    assert take(database, job, 0).attempt == 2


def test_a_crashed_finalizer_runs_again_without_its_chunks(database):
    job = divided(database, chunks=1)
    chunk_store.finish_chunk(database, take(database, job, 0), {"n": 0})
    claim_finalize(database, job.id, OWNER, lease_seconds=LEASE)
    expire_lease(database, job)
    sweep(database, SETTINGS)
    again = claim_finalize(database, job.id, OTHER, lease_seconds=LEASE)
    assert again is not None
    assert again.attempt == 1
    assert len(chunk_store.chunk_results(database, job.id)) == 1


# ---- the parent's upkeep


def test_the_parent_keeps_living_children_and_ends_the_leases_of_dead_ones(database):
    alive = claimed(database)
    dead = claimed(database, Owner(worker=OWNER.worker, pid=999))
    foreign = claimed(database, OTHER)
    expire_lease(database, alive)
    upkeep = keep_leases(database, OWNER.worker, [101], lease_seconds=60, grace_seconds=30)
    assert upkeep.dead_claims == 1
    found = sweep(database, SETTINGS)
    assert [job.id for job in found.jobs] == [dead.id]
    assert now(database, alive).state == now(database, foreign).state == JobState.RUNNING


def overdue(database):
    return keep_leases(database, OWNER.worker, [101], lease_seconds=60, grace_seconds=30).overdue


def test_the_parent_names_the_child_that_ignores_a_cancel(database):
    job = claimed(database)
    request_cancel(database, DEFAULT_PROJECT_ID, job.id, by="ana")
    assert overdue(database) == {}
    execute(database, "UPDATE jobs SET cancel_requested_at = now() - interval '31 s'")
    assert overdue(database) == {101: None}


def test_a_chunk_that_hangs_is_killed_divided_at_once_and_its_row_named(database):
    job = divided(database, chunks=1, rows=9)
    take(database, job, 0)
    assert overdue(database) == {}
    for _ in range(3):
        execute(
            database,
            "UPDATE job_chunks SET started_at = now() - interval '65 s' WHERE chunk = ("
            "SELECT max(chunk) FROM job_chunks WHERE state = 'running')",
        )
        for pid, problem in overdue(database).items():
            assert problem["code"] == "hung"
            end_claims(database, OWNER.worker, pid, problem)
        sweep(database, SETTINGS)
        with database.cursor() as cursor:
            cursor.execute("SELECT max(chunk) AS last FROM job_chunks WHERE state = 'queued'")
            last = cursor.fetchone()["last"]
        if take(database, job, last) is None:
            break
    failed = [r for r in chunk_store.chunk_results(database, job.id) if r.state == "failed"]
    assert [(r.spec.start_row, r.spec.stop_row) for r in failed] == [(8, 9)]
    assert "60.5 s" in failed[0].reason


def test_a_trial_may_take_as_long_as_it_takes(database):
    job = divided(database, chunks=1, rows=1, unit="trial")
    take(database, job, 0)
    execute(database, "UPDATE job_chunks SET started_at = now() - interval '5 hours'")
    assert overdue(database) == {}


def test_a_child_that_ate_its_memory_is_named_in_the_end(database):
    problem = too_much_memory(9 << 30, 8 << 30)
    job = claimed(database)
    for _ in range(SETTINGS.max_crashes):
        end_claims(database, OWNER.worker, OWNER.pid, problem)
        sweep(database, SETTINGS)
        claim_job(database, job.id, OWNER, lease_seconds=LEASE)
    ended = now(database, job)
    assert (ended.state, ended.error["code"]) == (JobState.FAILED, "out_of_memory")
    assert "9.0 GiB" in ended.error["detail"]


def test_what_did_not_stop_in_time_goes_back_unspent(database):
    alone = claimed(database)
    parts = divided(database, chunks=2)
    take(database, parts, 0)
    last_step = divided(database, chunks=1)
    chunk_store.finish_chunk(database, take(database, last_step, 0), {})
    claim_finalize(database, last_step.id, OWNER, lease_seconds=LEASE)
    foreign = claimed(database, OTHER)
    assert put_back_all(database, OWNER.worker) == 3
    back = now(database, alone)
    assert (back.state, back.attempt, back.crash_count) == (JobState.QUEUED, 0, 0)
    assert [a["outcome"] for a in list_attempts(database, alone.id)] == ["drained"]
    assert take(database, parts, 0, OTHER).attempt == 1
    assert claim_finalize(database, last_step.id, OTHER, lease_seconds=LEASE) is not None
    assert now(database, foreign).state == JobState.RUNNING


@pytest.fixture
def trials(resources, monkeypatch):
    """A divided job of four trials, the first of which runs."""
    monkeypatch.setattr(job_task, "get_resources", lambda: resources)
    monkeypatch.setattr("app.jobs.context._PATIENCE_SECONDS", 1.0)
    return Trials(resources.database)


class Trials:
    def __init__(self, database):
        self._database = database
        self.job = claimed(database, kind="optimize", params={"dataset": "d"})
        specs = [ChunkSpec(source={}, start_row=n, stop_row=n + 1) for n in range(4)]
        chunk_store.fan_out(database, self.job, FanOut(chunks=specs, unit="trial"), LIMIT)
        self.first = take(database, self.job, 0)
        self.ran = []

    def message(self, number, *, needs):
        """As it is delivered; the trial needs all before that place."""

        def run(resources, context, params, chunk):
            context.wait_until_ended(needs)
            self.ran.append(chunk.start_row)
            return {}

        assert job_task.run_chunk(str(self.job.id), number, run) == number

    def state(self, number):
        query = "SELECT state, attempt FROM job_chunks WHERE job_id = %s AND chunk = %s"
        with self._database.cursor() as cursor:
            cursor.execute(query, (self.job.id, number))
            return tuple(cursor.fetchone().values())

    def first_ends(self):
        problem = {"code": "x", "title": "x", "detail": "x"}
        chunk_store.fail_chunk(self._database, self.first, problem)


def test_whichever_trial_a_message_names_the_first_that_waits_begins(trials):
    trials.message(3, needs=0)
    trials.message(1, needs=0)
    trials.message(3, needs=0)
    trials.message(2, needs=0)
    assert trials.ran == [1, 2, 3]


def test_a_trial_that_needs_others_waits_for_them(trials, database):
    """In its process for some seconds, then in its queue, where it spends no attempt."""
    trials.message(1, needs=1)
    assert (trials.ran, trials.state(1)) == ([], ("queued", 0))
    assert [ref.chunk for ref in sweep(database, SETTINGS).chunks] == [1], "sent again at once"
    with ThreadPoolExecutor(1) as other:
        began = time.monotonic()
        waiting = other.submit(trials.message, 1, needs=1)
        wait_for(lambda: trials.state(1)[0] == "running", "it waits")
        trials.first_ends()
        waiting.result()
        assert time.monotonic() - began < 1.0
    assert (trials.ran, trials.state(1)) == ([1], ("succeeded", 1))


def test_who_has_ended_a_trial_goes_on_with_those_that_went_back(trials, database):
    """They have no message, until the sweep's next round."""
    one = take(database, trials.job, 1, OTHER)
    trials.message(2, needs=1)
    chunk_store.put_back_chunk(database, one)
    assert trials.ran == []
    trials.message(3, needs=0)
    assert trials.ran == [1, 2]
    trials.message(3, needs=0)
    assert trials.ran == [1, 2, 3]


def test_a_drained_last_step_keeps_its_chunks(database):
    job = divided(database, chunks=1)
    chunk_store.finish_chunk(database, take(database, job, 0), {"n": 0})
    put_back(database, claim_finalize(database, job.id, OWNER, lease_seconds=LEASE))
    assert [j.id for j in sweep(database, SETTINGS).finalize] == [job.id]
    assert claim_finalize(database, job.id, OTHER, lease_seconds=LEASE) is not None
    assert len(chunk_store.chunk_results(database, job.id)) == 1


def test_an_outage_in_the_last_step_keeps_the_chunks_and_waits(database):
    job = divided(database, chunks=1)
    chunk_store.finish_chunk(database, take(database, job, 0), {"n": 0})
    end_badly(
        database,
        claim_finalize(database, job.id, OWNER, lease_seconds=LEASE),
        Retryable("the disk is full"),
    )
    assert sweep(database, SETTINGS).finalize == [], "not before the pause is over"
    assert [e.type for e in list_events(database, job.id)][-1] == "outage"
    execute(database, "UPDATE jobs SET dispatched_at = now() - interval '11 s'")
    assert [j.id for j in sweep(database, SETTINGS).finalize] == [job.id]
    assert len(chunk_store.chunk_results(database, job.id)) == 1


# ---- fairness and backpressure


def test_later_chunks_of_a_divided_job_wait_in_a_line_of_their_own(database):
    job = divided(database, chunks=12)
    execute(database, "UPDATE job_chunks SET dispatched_at = now() - interval '1 day'")
    sent = {ref.chunk: ref.queue for ref in sweep(database, SETTINGS).chunks}
    assert job.queue == "predict"
    assert [sent[n] for n in range(12)] == ["predict"] * 8 + ["predict_bulk"] * 4
    assert [chunk_store.queue_of("predict", n) for n in range(12)] == [sent[n] for n in range(12)]


def test_chunks_whose_line_is_empty_have_lost_their_messages(database):
    divided(database, chunks=12)
    execute(database, "UPDATE job_chunks SET dispatched_at = now() - interval '3 s'")
    found = sweep(database, SETTINGS, empty_queues=frozenset({"predict_bulk"}))
    assert sorted(ref.chunk for ref in found.chunks) == [8, 9, 10, 11]


def test_a_broker_that_forgot_everything_is_told_everything_again(database):
    job = submitted(database)
    parts = divided(database, chunks=10)
    execute(database, "UPDATE jobs SET dispatch_count = 9")
    assert sweep(database, SETTINGS).found == {}
    found = sweep(database, SETTINGS, broker_forgot=True)
    assert [j.id for j in found.jobs] == [job.id]
    assert {ref.chunk for ref in found.chunks if ref.job_id == parts.id} == set(range(10))


def test_a_lost_chunk_message_is_sent_again_soon_then_less_and_less_often(database):
    divided(database, chunks=1)
    execute(database, "UPDATE job_chunks SET dispatched_at = now() - interval '13 s'")
    assert len(sweep(database, SETTINGS).chunks) == 1
    execute(database, "UPDATE job_chunks SET dispatched_at = now() - interval '13 s'")
    assert sweep(database, SETTINGS).chunks == []
    execute(database, "UPDATE job_chunks SET dispatched_at = now() - interval '25 s'")
    assert len(sweep(database, SETTINGS).chunks) == 1


def test_a_deadline_that_passes_between_chunks_and_last_step_stops_the_job(database):
    job = divided(database, chunks=2)
    chunk_store.finish_chunk(database, take(database, job, 0), {})
    late = take(database, job, 1)
    execute(database, "UPDATE jobs SET deadline_at = now() - interval '1 s'")
    chunk_store.cancel_chunk(database, late, DeadlineExceeded("late").problem())
    assert claim_finalize(database, job.id, OWNER, lease_seconds=LEASE) is None
    sweep(database, SETTINGS)
    ended = now(database, job)
    assert (ended.state, ended.error["code"]) == (JobState.CANCELLED, "deadline_exceeded")


def test_what_an_idle_child_still_holds_is_taken_back(database):
    job, young = claimed(database), claimed(database)
    execute(
        database,
        "UPDATE jobs SET heartbeat_at = now() - interval '11 s' WHERE id = %(id)s",
        id=job.id,
    )
    upkeep = keep_leases(
        database, OWNER.worker, [101], idle_pids=[101], lease_seconds=60, grace_seconds=30
    )
    assert upkeep.dead_claims == 1
    assert [j.id for j in sweep(database, SETTINGS).jobs] == [job.id]
    assert now(database, young).state == JobState.RUNNING, "its task may begin right now"


def test_a_caller_with_too_many_jobs_waiting_is_told_to_come_back(database):
    room = WaitingRoom(20)

    def submit_as(name):
        new = NewJob(
            project_id=DEFAULT_PROJECT_ID, kind="train", queue="cpu", params={}, created_by=name
        )
        return submit_job(database, new, room=room).job

    jobs = [submit_as("greedy") for _ in range(20)]
    with pytest.raises(TooManyJobs) as refused:
        submit_as("greedy")
    assert int(refused.value.headers["Retry-After"]) > 0
    assert len(list_jobs(database, DEFAULT_PROJECT_ID)) == 20, "nothing of it is stored"
    submit_as("modest")
    claim_job(database, jobs[0].id, OWNER, lease_seconds=LEASE)
    submit_as("greedy")


def test_many_threads_do_not_pass_the_limit(database):
    room = WaitingRoom(50)

    def submit_one(_):
        new = NewJob(
            project_id=DEFAULT_PROJECT_ID, kind="train", queue="cpu", params={}, created_by="t"
        )
        try:
            submit_job(database, new, room=room)
        except TooManyJobs:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        accepted = sum(pool.map(submit_one, range(200)))
    # a count does not see what other threads have not committed yet
    assert 50 <= accepted <= 50 + 7


# ---- telling


def test_a_change_of_state_notifies_listeners(database):
    job = submitted(database)
    with closing(database.connect()) as listener:
        listener.execute("LISTEN retort_jobs")
        claim_job(database, job.id, OWNER, lease_seconds=LEASE)
        notes = list(listener.notifies(timeout=5, stop_after=1))
    assert [note.payload for note in notes] == [str(job.id)]


def test_lists_are_newest_first_and_filtered(database):
    jobs = [submitted(database, labels={"n": str(n)}) for n in range(5)]
    newest = [job.id for job in reversed(jobs)]
    assert [j.id for j in list_jobs(database, DEFAULT_PROJECT_ID, limit=3)] == newest[:3]
    page = list_jobs(database, DEFAULT_PROJECT_ID, before_id=newest[2])
    assert [j.id for j in page] == newest[3:]
    assert [j.id for j in list_jobs(database, DEFAULT_PROJECT_ID, labels={"n": "2"})] == [
        jobs[2].id
    ]
    assert list_jobs(database, DEFAULT_PROJECT_ID, state="failed") == []


def test_a_password_with_any_character_reaches_the_listener(postgres_url):
    from sqlalchemy import make_url

    odd = "a b'c\\d%/@:"
    url = make_url(postgres_url)
    with Database(postgres_url).cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS odd")
        cursor.execute(
            psycopg.sql.SQL("CREATE ROLE odd LOGIN PASSWORD {}").format(psycopg.sql.Literal(odd))
        )
    database = Database(url.set(username="odd", password=odd).render_as_string(hide_password=False))
    with closing(database.connect()) as connection:
        assert connection.execute("SELECT current_user AS me").fetchone()["me"] == "odd"
