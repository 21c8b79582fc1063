"""Workers of earlier releases run on the newest schema, alone and beside this checkout's.

Each `engine_*.zip` is the job engine of a release (freeze.py); it runs in a process of its own.
"""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from app.core.errors import LeaseLost, Retryable
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.work import ChunkSpec, FanOut, Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.jobs import chunks as chunk_store
from app.jobs.claim import Owner, beat, claim_finalize, claim_job
from app.jobs.control import request_cancel
from app.jobs.finish import end_badly, succeed
from app.jobs.states import JobState
from app.jobs.store import get_job, list_attempts
from app.jobs.submit import NewJob, submit_job
from app.jobs.sweeper import sweep
from tests.rolling.old_engine import ENGINES, OldEngine, OldEngineError, revision_of

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = Settings()
NEW = Owner(worker="cpu@new#1", pid=202)
LEASE = 60.0
LIMIT = chunk_store.TimeLimit(base=SETTINGS.chunk_seconds, per_row=SETTINGS.row_seconds)
NO_WORKER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module", params=ENGINES, ids=revision_of)
def engine(request, tmp_path_factory):
    with closing(OldEngine(request.param, tmp_path_factory.mktemp("old"))) as engine:
        yield engine


@pytest.fixture
def old(engine, postgres_url):
    """The old engine on a database that is migrated to head."""
    assert engine("connect", url=postgres_url).startswith(f"{engine.engine}{os.sep}app")
    yield engine
    engine("disconnect")


def submitted(old, **changes):
    return old("submit", **changes)["job"]["id"]


def claimed(old, **changes):
    job = submitted(old, **changes)
    assert old("claim", job=job)["state"] == "running"
    return job


def divided(old, *ranges):
    """A job that the old engine divided into these rows."""
    job = claimed(old)
    old("fan_out", job=job, ranges=list(enumerate(ranges)))
    return job


def state(old, job):
    return old("get_job", job=job)["state"]


def states_in_log(old, job):
    return [e["data"]["state"] for e in old("list_events", job=job) if e["type"] == "state"]


def refused(old, do, **values):
    """The name of what the old engine raises."""
    with pytest.raises(OldEngineError) as caught:
        old(do, **values)
    return caught.value.name


def execute(database, statement, **values):
    with database.cursor() as cursor:
        cursor.execute(statement, values)


def expire(database, table="jobs"):
    """Every lease of the table."""
    execute(
        database,
        f"UPDATE {table} SET lease_expires_at = now() - interval '1 s'"
        " WHERE lease_expires_at IS NOT NULL",
    )


# ---- there is something to test


def test_the_release_before_the_first_migration_is_frozen():
    assert "0001" in map(revision_of, ENGINES)


def test_an_engine_that_is_not_the_frozen_one_does_not_start(tmp_path):
    """A process that finds another `app` must not pass for the old release."""
    stranger = tmp_path / "engine_0000.zip"
    found = subprocess.run(
        [sys.executable, "-P", str(ROOT / "tests" / "rolling" / "drive_engine.py")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{stranger}{os.pathsep}{ROOT}"},
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode != 0
    assert "was imported from" in found.stderr


# ---- the old engine alone


def test_submit_with_key_and_needs_claim_beat_succeed(old):
    first = submitted(old, key="key-12345", labels={"assay": "sol"})
    again = old("submit", key="key-12345", labels={"assay": "sol"})
    assert (again["replayed"], again["job"]["id"]) == (True, first)
    assert refused(old, "submit", key="key-12345", body="b") == "IdempotencyMismatch"
    second = submitted(old, needs=[first])
    third = submitted(old, needs=[second])
    assert refused(old, "submit", needs=[NO_WORKER]) == "NotFound"
    assert state(old, second) == "waiting"
    assert old("claim", job=second) is None

    assert old("claim", job=first)["attempt"] == 1
    assert old("claim", job=first) is None, "a duplicate message"
    assert old("beat", job=first, progress={"percent": 40.0})["owned"]
    assert old("get_job", job=first)["progress"] == {"percent": 40.0}
    old("append_event", job=first, type_="message", data={"epoch": 3})
    assert [job["id"] for job in old("succeed", job=first, result={"x": 1})] == [second]

    ended = old("get_job", job=first)
    assert (ended["state"], ended["result"]) == ("succeeded", {"x": 1})
    assert states_in_log(old, first) == ["queued", "running", "succeeded"]
    assert [a["outcome"] for a in old("list_attempts", job=first)] == ["succeeded"]
    assert states_in_log(old, second) == ["waiting", "queued"]

    old("claim", job=second)
    old("end_badly", job=second, error="mistake")
    assert old("get_job", job=third)["error"]["code"] == "dependency_failed"
    assert [job["id"] for job in old("list_jobs")] == [third, second, first]
    assert [job["id"] for job in old("list_jobs", state="succeeded")] == [first]
    assert [job["id"] for job in old("list_jobs", labels={"assay": "sol"})] == [first]
    assert old("rows", job=first) == ["succeeded"]


def test_an_outage_is_retried_and_a_mistake_fails(old, database):
    job = claimed(old)
    old("end_badly", job=job, error="outage")
    assert state(old, job) == "retrying"
    assert old("sweep")["jobs"] == [], "not due yet"
    execute(database, "UPDATE jobs SET run_at = now()")
    assert [j["id"] for j in old("sweep")["jobs"]] == [job]
    assert old("claim", job=job)["attempt"] == 2
    old("end_badly", job=job, error="mistake")
    assert old("get_job", job=job)["error"]["code"] == "invalid_input"
    assert old("retry_failed", job=job)["state"] == "queued"
    assert refused(old, "retry_failed", job=job) == "Conflict"
    assert [a["outcome"] for a in old("list_attempts", job=job)] == ["retrying", "failed"]


def test_put_back_and_cancel(old):
    job = claimed(old)
    old("put_back", job=job)
    fresh = old("get_job", job=job)
    assert (fresh["state"], fresh["attempt"], fresh["claim_token"]) == ("queued", 0, None)
    assert [j["id"] for j in old("sweep")["jobs"]] == [job], "sent again at once"

    assert old("claim", job=job)["attempt"] == 1
    assert old("cancel", job=job)["state"] == "running"
    assert old("beat", job=job)["cancel_requested"]
    old("end_badly", job=job, error="cancelled")
    assert state(old, job) == "cancelled"

    queued = submitted(old)
    assert old("cancel", job=queued)["state"] == "cancelled"
    assert old("claim", job=queued) is None


def test_a_divided_job_from_its_chunks_to_its_end(old):
    job = divided(old, (0, 10), (10, 20), (20, 30), (30, 40))
    assert old("claim_finalize", job=job) is None, "chunks are open"
    for chunk in range(4):
        claim = old("claim_chunk", job=job, chunk=chunk)
        assert claim["spec"] == {
            "source": {"n": chunk},
            "start_row": 10 * chunk,
            "stop_row": 10 * chunk + 10,
        }
    assert old("claim_chunk", job=job, chunk=0) is None, "a duplicate message"
    assert old("beat_chunk", job=job, chunk=0) == {
        "owned": True,
        "cancel_requested": False,
        "deadline_passed": False,
    }
    old("finish_chunk", job=job, chunk=0, result={"key": "a"})
    old("fail_chunk", job=job, chunk=1)
    old("retry_chunk", job=job, chunk=2, after=0)
    old("put_back_chunk", job=job, chunk=3)
    assert old("rows", job=job) == ["running", "succeeded", "failed", "queued", "queued"]
    assert old("get_job", job=job)["progress"]["percent"] == 50.0
    assert refused(old, "finish_chunk", job=job, chunk=3, result={}) == "LeaseLost"
    assert {(c["chunk"], c["queue"].split("_")[0]) for c in old("sweep")["chunks"]} == {
        (2, "cpu"),
        (3, "cpu"),
    }

    assert old("claim_chunk", job=job, chunk=2)["attempt"] == 2
    assert old("claim_chunk", job=job, chunk=3)["attempt"] == 1
    old("finish_chunk", job=job, chunk=2, result={"key": "c"})
    old("finish_chunk", job=job, chunk=3, result={"key": "d"})
    results = old("chunk_results", job=job)
    assert [(r["chunk"], r["state"]) for r in results] == [
        (0, "succeeded"),
        (1, "failed"),
        (2, "succeeded"),
        (3, "succeeded"),
    ]
    assert results[1]["reason"] == "no such column"
    assert old("claim_finalize", job=job)["id"] == job
    assert old("claim_finalize", job=job) is None
    old("succeed", job=job, result={"rows": 40})
    assert old("get_job", job=job)["result"] == {"rows": 40}


def test_cancelling_a_divided_job_ends_its_chunks(old):
    job = divided(old, (0, 10), (10, 20))
    old("claim_chunk", job=job, chunk=0)
    old("cancel", job=job)
    assert old("beat_chunk", job=job, chunk=0)["cancel_requested"]
    old("cancel_chunk", job=job, chunk=0)
    assert old("sweep")["found"]["stopped"] == 1
    assert old("rows", job=job) == ["cancelled", "cancelled", "cancelled"]


def test_the_sweeper_takes_back_and_quarantines_jobs(old, database):
    job = claimed(old)
    waiting = submitted(old, needs=[job])
    for again in (True, False):
        expire(database)
        swept = old("sweep")
        assert swept["found"]["lost_jobs"] == 1
        assert [j["id"] for j in swept["jobs"]] == ([job] if again else [])
        if again:
            old("claim", job=job)
    assert old("get_job", job=job)["error"]["code"] == "lost_worker"
    assert state(old, waiting) == "failed"
    assert refused(old, "succeed", job=job, result={}) == "LeaseLost"


def test_the_sweeper_divides_poisonous_chunks_down_to_the_row(old, database):
    job = divided(old, (0, 4), (4, 8))
    old("claim_chunk", job=job, chunk=1)
    old("finish_chunk", job=job, chunk=1, result={})
    found = {}
    for _ in range(8):  # one row of four: at most a repetition and two divisions
        for chunk in old("list_chunks", job=job):
            poisonous = chunk["start_row"] <= 2 < chunk["stop_row"]
            if chunk["state"] != "queued" or old("claim_chunk", job=job, **number(chunk)) is None:
                continue
            if not poisonous:
                old("finish_chunk", job=job, result={}, **number(chunk))
        expire(database, "job_chunks")
        swept = old("sweep")
        for what, count in swept["found"].items():
            found[what] = found.get(what, 0) + count
        if "quarantined_chunks" in swept["found"]:
            break
    assert found["quarantined_chunks"] == 1
    assert found["split_chunks"] >= 1
    for chunk in old("list_chunks", job=job):
        if chunk["state"] == "queued":
            old("claim_chunk", job=job, **number(chunk))
            old("finish_chunk", job=job, result={}, **number(chunk))

    results = old("chunk_results", job=job)
    rows = [row for r in results for row in range(r["spec"]["start_row"], r["spec"]["stop_row"])]
    assert rows == list(range(8)), "in the order of the plan, each row once"
    failed = [r["spec"] for r in results if r["state"] == "failed"]
    assert [(f["start_row"], f["stop_row"]) for f in failed] == [(2, 3)]
    execute(database, "UPDATE jobs SET dispatched_at = NULL")
    assert [j["id"] for j in old("sweep")["finalize"]] == [job]
    assert old("claim_finalize", job=job)["id"] == job


def number(chunk):
    return {"chunk": chunk["chunk"]}


def test_the_sweeper_sends_again_what_never_arrived_and_ends_what_is_late(old, database):
    job, part = submitted(old), divided(old, (0, 10))
    assert old("sweep")["found"] == {}, "sent a moment ago"
    for table in ("jobs", "job_chunks"):
        execute(database, f"UPDATE {table} SET dispatched_at = now() - interval '5 s'")
    assert old("sweep")["found"] == {}, "the queue is long, perhaps"
    swept = old("sweep", empty=["cpu"])
    assert [j["id"] for j in swept["jobs"]] == [job]
    assert [(c["job_id"], c["chunk"]) for c in swept["chunks"]] == [(part, 0)]

    execute(database, "UPDATE jobs SET deadline_at = now() - interval '1 s'")
    assert old("sweep")["found"] == {"deadlines": 1, "stopped": 1}
    assert old("get_job", job=job)["error"]["code"] == "deadline_exceeded"
    assert state(old, part) == "cancelled"


def test_what_a_workers_parent_does(old, database):
    job, part = claimed(old), divided(old, (0, 10))
    old("claim_chunk", job=part, chunk=0)
    pid = old("get_job", job=job)["worker_pid"]
    assert old("keep_leases", alive=[pid])["dead_claims"] == 0
    assert {row["queue"]: row["running"] for row in old("queue_figures")} == {"cpu": 2}
    assert old("keep_leases", alive=[])["dead_claims"] == 2
    assert old("sweep")["found"] == {"lost_jobs": 1, "lost_chunks": 1, "resent_chunks": 1}
    submitted(old, key="key-12345")
    execute(database, "UPDATE idempotency_keys SET expires_at = now() - interval '1 s'")
    assert old("clean_up")["idempotency_keys"] == 1


# ---- beside the new engine


def new_job(database, **changes):
    values = {"kind": "train", "queue": "cpu", "params": {"n": 1}, "created_by": "new"}
    new = NewJob(project_id=DEFAULT_PROJECT_ID, **{**values, **changes})
    return submit_job(database, new).job


def new_claim(database, job):
    return claim_job(database, UUID(str(job)), NEW, lease_seconds=LEASE)


def now(database, job):
    return get_job(database, DEFAULT_PROJECT_ID, UUID(str(job)))


def new_division(database, *ranges):
    """A job that the new engine divided into these rows."""
    job = new_claim(database, new_job(database).id)
    specs = [ChunkSpec(source={}, start_row=start, stop_row=stop) for start, stop in ranges]
    chunk_store.fan_out(database, job, FanOut(chunks=specs), LIMIT)
    return job


def new_chunk(database, job, chunk):
    return chunk_store.claim_chunk(database, UUID(str(job)), chunk, NEW, lease_seconds=LEASE)


def new_finalize(database, job):
    return claim_finalize(database, UUID(str(job)), NEW, lease_seconds=LEASE)


def test_the_new_engine_finishes_what_the_old_one_accepted(old, database):
    job = submitted(old, key="key-12345")
    waiting = submitted(old, needs=[job])
    mine = new_claim(database, job)
    assert old("claim", job=job) is None
    assert beat(database, mine.id, mine.claim_token, lease_seconds=LEASE).owned
    assert [str(j.id) for j in succeed(database, mine, Outcome(result={"by": "new"}))] == [waiting]
    assert old("get_job", job=job)["result"] == {"by": "new"}
    assert old("submit", key="key-12345")["job"]["state"] == "succeeded"
    assert old("claim", job=waiting)["state"] == "running"


def test_the_old_engine_finishes_what_the_new_one_accepted(old, database):
    job = new_job(database)
    waiting = new_job(database, needs=[job.id])
    assert old("claim", job=job.id)["id"] == str(job.id)
    assert new_claim(database, job.id) is None
    assert [j["id"] for j in old("succeed", job=str(job.id), result={"by": "old"})] == [
        str(waiting.id)
    ]
    assert now(database, job.id).result == {"by": "old"}
    assert now(database, waiting.id).state == JobState.QUEUED


def test_a_job_that_the_new_engine_retried_is_the_old_ones(old, database):
    job = new_claim(database, new_job(database).id)
    end_badly(database, job, Retryable("later", after=0))
    assert [j["id"] for j in old("sweep")["jobs"]] == [str(job.id)]
    assert old("claim", job=job.id)["attempt"] == 2
    old("end_badly", job=str(job.id), error="outage")
    execute(database, "UPDATE jobs SET run_at = now()")
    assert [j.id for j in sweep(database, SETTINGS).jobs] == [job.id]
    succeed(database, new_claim(database, job.id), Outcome(result={}))
    outcomes = [a["outcome"] for a in list_attempts(database, job.id)]
    assert outcomes == ["retrying", "retrying", "succeeded"]


def test_the_old_engine_does_not_queue_what_waits_for_values(old, database):
    """It knows nothing of them: the job needs itself until they are filled in."""
    need = new_job(database)
    name = new_id()
    job = new_job(database, id=name, needs=[need.id, name])
    old("claim", job=str(need.id))
    assert old("succeed", job=str(need.id), result={"x": 1}) == []
    assert old("sweep")["jobs"] == []
    assert now(database, job.id).state == JobState.WAITING
    assert now(database, job.id).needs == (need.id,)
    execute(database, "DELETE FROM job_needs WHERE job_id = needs_job_id")
    assert [j["id"] for j in old("sweep")["jobs"]] == [str(job.id)]


def test_a_failed_need_fails_what_waits_for_values_under_the_old_engine(old, database):
    need = new_job(database)
    name = new_id()
    job = new_job(database, id=name, needs=[need.id, name])
    old("claim", job=str(need.id))
    old("end_badly", job=str(need.id), error="mistake")
    assert now(database, job.id).error["code"] == "dependency_failed"


def test_old_processes_work_on_the_chunks_of_a_new_plan(old, database):
    job = new_division(database, (0, 10), (10, 20), (20, 30))
    name = str(job.id)
    for chunk in (0, 1):
        assert old("claim_chunk", job=name, chunk=chunk)["job_attempt"] == 1
    assert new_chunk(database, name, 0) is None
    old("finish_chunk", job=name, chunk=0, result={"by": "old"})
    old("fail_chunk", job=name, chunk=1)
    mine = new_chunk(database, name, 2)
    chunk_store.finish_chunk(database, mine, {"by": "new"})
    done = new_finalize(database, name)
    assert old("claim_finalize", job=name) is None
    results = chunk_store.chunk_results(database, job.id)
    assert [(r.state, r.result) for r in results] == [
        ("succeeded", {"by": "old"}),
        ("failed", {}),
        ("succeeded", {"by": "new"}),
    ]
    succeed(database, done, Outcome(result={"rows": 30}))
    assert state(old, name) == "succeeded"


def test_new_processes_work_on_the_chunks_of_an_old_plan(old, database):
    job = divided(old, (0, 10), (10, 20))
    mine = new_chunk(database, job, 0)
    assert chunk_store.beat_chunk(database, mine, lease_seconds=LEASE).owned
    chunk_store.finish_chunk(database, mine, {"by": "new"})
    old("claim_chunk", job=job, chunk=1)
    old("finish_chunk", job=job, chunk=1, result={"by": "old"})
    assert old("claim_finalize", job=job)["id"] == job
    assert [r["result"]["by"] for r in old("chunk_results", job=job)] == ["new", "old"]
    old("succeed", job=job, result={"rows": 20})
    assert now(database, job).result == {"rows": 20}


def test_the_old_sweeper_takes_back_what_the_new_engine_lost(old, database):
    job = new_claim(database, new_job(database).id)
    part = new_division(database, (0, 4))
    mine = new_chunk(database, part.id, 0)
    expire(database)
    expire(database, "job_chunks")
    assert old("sweep")["found"] == {"lost_jobs": 1, "lost_chunks": 1, "resent_chunks": 1}
    with pytest.raises(LeaseLost):
        succeed(database, job, Outcome(result={"by": "zombie"}))
    with pytest.raises(LeaseLost):
        chunk_store.finish_chunk(database, mine, {"by": "zombie"})
    assert old("claim", job=job.id)["attempt"] == 2
    old("succeed", job=str(job.id), result={"by": "old"})
    assert now(database, job.id).result == {"by": "old"}

    # the second crash: the old sweeper divides the chunk, the new engine works on the pieces
    new_chunk(database, part.id, 0)
    expire(database, "job_chunks")
    assert old("sweep")["found"]["split_chunks"] == 1
    for chunk in old("list_chunks", job=part.id):
        if chunk["state"] == "queued":
            piece = new_chunk(database, part.id, chunk["chunk"])
            chunk_store.finish_chunk(database, piece, {})
    results = chunk_store.chunk_results(database, part.id)
    assert [row for r in results for row in range(r.spec.start_row, r.spec.stop_row)] == [*range(4)]


def test_the_new_sweeper_takes_back_what_the_old_engine_lost(old, database):
    job, part = claimed(old), divided(old, (0, 4))
    old("claim_chunk", job=part, chunk=0)
    expire(database)
    expire(database, "job_chunks")
    assert sweep(database, SETTINGS).found == {
        "lost_jobs": 1,
        "lost_chunks": 1,
        "resent_chunks": 1,
    }
    assert refused(old, "succeed", job=job, result={"by": "zombie"}) == "LeaseLost"
    assert refused(old, "finish_chunk", job=part, chunk=0, result={}) == "LeaseLost"
    assert not old("beat", job=job)["owned"]
    succeed(database, new_claim(database, job), Outcome(result={"by": "new"}))
    assert old("get_job", job=job)["result"] == {"by": "new"}

    # the second crash: the new sweeper divides the chunk, the old engine works on the pieces
    old("claim_chunk", job=part, chunk=0)
    expire(database, "job_chunks")
    assert sweep(database, SETTINGS).found["split_chunks"] == 1
    for chunk in old("list_chunks", job=part):
        if chunk["state"] == "queued":
            old("claim_chunk", job=part, **number(chunk))
            old("finish_chunk", job=part, result={}, **number(chunk))
    assert new_finalize(database, part) is not None


def test_a_cancel_asked_of_the_new_engine_reaches_the_old(old, database):
    job = claimed(old)
    request_cancel(database, DEFAULT_PROJECT_ID, UUID(job), by="ana")
    assert old("beat", job=job)["cancel_requested"]
    old("end_badly", job=job, error="cancelled")
    assert now(database, job).state == JobState.CANCELLED


# ---- the migration happens while old workers run


@pytest.fixture
def running(engine, empty_postgres_url):
    """The old engine at work on its own schema: each statement is in the server's cache."""
    alembic(empty_postgres_url, revision_of(engine.engine))
    engine("connect", url=empty_postgres_url)
    for _ in range(8):  # psycopg prepares a statement at its sixth execution
        ordinary_work(engine)
    yield engine
    engine("disconnect")


def alembic(url, revision):
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", revision],
        cwd=ROOT,
        env=os.environ | {"RETORT_DATABASE_URL": url},
        check=True,
        capture_output=True,
    )


def ordinary_work(old):
    job = claimed(old)
    part = divided(old, (0, 10))
    old("claim_chunk", job=part, chunk=0)
    finish_both(old, job, part)
    old("sweep")
    old("list_jobs", limit=5)


def finish_both(old, job, part):
    old("beat", job=job)
    old("succeed", job=job, result={"x": 1})
    old("beat_chunk", job=part, chunk=0)
    old("finish_chunk", job=part, chunk=0, result={})
    old("claim_finalize", job=part)
    old("succeed", job=part, result={"x": 2})
    assert [state(old, name) for name in (job, part)] == ["succeeded", "succeeded"]


def test_jobs_that_run_during_the_migration_end_as_if_nothing_happened(running, empty_postgres_url):
    job, part = claimed(running), divided(running, (0, 10))
    running("claim_chunk", job=part, chunk=0)
    alembic(empty_postgres_url, "head")
    finish_both(running, job, part)
    ordinary_work(running)


def test_a_worker_that_ran_during_the_migration_recovers_and_loses_nothing(
    running, empty_postgres_url
):
    """Whatever a statement was refused for, it changed nothing and passes when repeated."""
    job, part = claimed(running), divided(running, (0, 10))
    running("claim_chunk", job=part, chunk=0)
    alembic(empty_postgres_url, "head")
    repeated = []

    def patient(do, **values):
        try:
            return running(do, **values)
        except OldEngineError as error:
            if "cached plan" not in str(error):
                raise
            repeated.append(do)
            return running(do, **values)

    finish_both(patient, job, part)
    ordinary_work(patient)
    assert len(repeated) <= 1, "the refusal empties the cache of its connection"
    ordinary_work(running)
