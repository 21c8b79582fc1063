"""Retrying a divided job runs only what has no answer yet, and gives what a clean run gives."""

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.core.errors import Conflict, InvalidInput
from app.core.ids import new_id
from app.core.work import ChunkSpec, FanOut, Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.integrity.records import broken_rules
from app.jobs import chunks as chunk_store
from app.jobs.claim import Owner, claim_finalize, claim_job
from app.jobs.clean_up import clean_up
from app.jobs.control import retry_failed
from app.jobs.finish import end_badly, succeed
from app.jobs.store import get_job, list_attempts, list_chunks, list_events
from app.jobs.submit import NewJob, submit_job
from app.jobs.sweeper import sweep
from app.prediction import service as prediction
from app.storage import keys
from tests.support.cluster import cluster, wait_for
from tests.support.inline import work_off

OWNER = Owner(worker="test", pid=1)
LIMIT = chunk_store.TimeLimit(base=60, per_row=0.5)
DATA = Path(__file__).parents[3] / "examples" / "data"


def now(resources, job_id):
    return get_job(resources.database, DEFAULT_PROJECT_ID, job_id)


# ---- a batch prediction, with real work


@pytest.fixture
def model(api, resources):
    content = b"\n".join((DATA / "freesolv.csv").read_bytes().splitlines()[:121])
    file_id = api.post("files", files={"file": ("freesolv.csv", content)}).json()["id"]
    body = {
        "jobs": {
            "read": {"kind": "ingest", "params": {"file_id": file_id, "name": "solv"}},
            "train": {
                "kind": "train",
                "needs": ["read"],
                "params": {
                    "dataset": "solv",
                    "algorithm": {"name": "ridge"},
                    "features": [{"name": "morgan_counts", "params": {"fp_size": 64}}],
                    "bootstrap": 0,
                },
            },
        }
    }
    made = api.post("workflows", json=body)
    assert made.status_code == 202, made.text
    work_off(resources)
    done = api.get(f"workflows/{made.json()['id']}").json()
    assert done["state"] == "succeeded", {k: j["error"] for k, j in done["jobs"].items()}
    return {"model": done["jobs"]["train"]["result"]["model_ref"], "file_id": file_id}


@pytest.fixture
def fault(monkeypatch, tmp_path):
    """One chunk, and with it the last step, fails until the file exists; which chunks ran."""
    mended, ran = tmp_path / "mended", []
    run_chunk, finalize = prediction.run_chunk, prediction.finalize

    def flaky_chunk(resources, context, params, chunk):
        ran.append(chunk.source["key"].rpartition("/")[2])
        if len(ran) == 2 and not mended.exists():
            raise RuntimeError("a bug in the second chunk")
        return run_chunk(resources, context, params, chunk)

    def strict_finalize(resources, context, params, results):
        if any(result.state == "failed" for result in results):
            raise InvalidInput("a chunk has no answer")
        return finalize(resources, context, params, results)

    monkeypatch.setattr(prediction, "run_chunk", flaky_chunk)
    monkeypatch.setattr(prediction, "finalize", strict_finalize)
    return mended, ran


def predicted(api, job_id):
    files = api.get(f"jobs/{job_id}/artifacts").json()["items"]
    (found,) = [file for file in files if file["name"].endswith(".parquet")]
    content = api.get(f"files/{found['id']}/content").content
    return pq.read_table(io.BytesIO(content))


@pytest.mark.req("goal-8")
def test_only_the_failed_chunk_of_a_batch_runs_again_and_the_result_is_that_of_a_clean_run(
    api, resources, model, fault
):
    mended, ran = fault
    body = {"kind": "predict", "params": {**model, "chunk_rows": 30, "cache": False}}
    job_id = api.post("jobs", json=body).json()["id"]
    work_off(resources)
    failed = now(resources, job_id)
    assert (failed.state, failed.error["detail"]) == ("failed", "a chunk has no answer")
    states = [chunk["state"] for chunk in list_chunks(resources.database, job_id)]
    assert sorted(states) == ["failed", "succeeded", "succeeded", "succeeded"]
    clean_up(resources.database, resources.storage)

    mended.touch()
    before = list(ran)
    assert api.post(f"jobs/{job_id}/retry").json()["state"] == "queued"
    work_off(resources)
    done = now(resources, job_id)
    assert done.state == "succeeded", done.error
    assert ran[len(before) :] == [before[1]], "the second chunk alone"
    assert done.attempt == 2
    assert done.progress["percent"] == 100.0
    outcomes = [attempt["outcome"] for attempt in list_attempts(resources.database, job_id)]
    assert outcomes == ["failed", "succeeded"]
    assert not list(resources.storage.list(f"work/{job_id}/")), "nothing stays"

    clean = api.post("jobs", json=body).json()["id"]
    work_off(resources)
    assert now(resources, clean).state == "succeeded"
    assert predicted(api, job_id).equals(predicted(api, clean))
    assert predicted(api, job_id).num_rows == 120
    same = ("rows_total", "rows_ok", "rows_failed", "chunks")
    assert {k: done.result[k] for k in same} == {k: now(resources, clean).result[k] for k in same}
    assert broken_rules(resources.database) == []


@pytest.mark.req("goal-8")
def test_when_only_the_last_step_had_failed_no_chunk_runs_again(api, resources, model, monkeypatch):
    finalize = prediction.finalize
    monkeypatch.setattr(prediction, "finalize", lambda *_: 1 / 0)
    body = {"kind": "predict", "params": {**model, "chunk_rows": 30, "cache": False}}
    job_id = api.post("jobs", json=body).json()["id"]
    work_off(resources)
    assert now(resources, job_id).state == "failed"
    monkeypatch.setattr(prediction, "finalize", finalize)
    monkeypatch.setattr(prediction, "run_chunk", lambda *_: 1 / 0)
    monkeypatch.setattr(prediction, "plan", lambda *_: 1 / 0)
    api.post(f"jobs/{job_id}/retry")
    work_off(resources)
    done = now(resources, job_id)
    assert (done.state, done.result["rows_ok"]) == ("succeeded", 120), done.error


def test_parts_that_are_gone_are_made_anew(api, resources, model, fault):
    mended, ran = fault
    body = {"kind": "predict", "params": {**model, "chunk_rows": 60, "cache": False}}
    job_id = api.post("jobs", json=body).json()["id"]
    work_off(resources)
    clean_up(resources.database, resources.storage, retry_days=0)
    assert not list(resources.storage.list(f"work/{job_id}/"))
    mended.touch()
    api.post(f"jobs/{job_id}/retry")
    work_off(resources)
    assert now(resources, job_id).state == "succeeded"
    assert len(ran) == 4, "both chunks again"


# ---- the engine


def divided(resources, chunks=3):
    """A claimed job that is divided, as workers/job_task.py does it."""
    new = NewJob(
        project_id=DEFAULT_PROJECT_ID, kind="predict", queue="predict", params={}, created_by="t"
    )
    job = submit_job(resources.database, new).job
    job = claim_job(resources.database, job.id, OWNER, lease_seconds=60)
    specs = [ChunkSpec(source={"n": n}, start_row=0, stop_row=8) for n in range(chunks)]
    resources.storage.write(keys.division(job.id, job.attempt), b"")
    chunk_store.fan_out(resources.database, job, FanOut(chunks=specs), LIMIT)
    return job


def take(resources, job, number):
    return chunk_store.claim_chunk(resources.database, job.id, number, OWNER, lease_seconds=60)


def fail_last_step(resources, job):
    last = claim_finalize(resources.database, job.id, OWNER, lease_seconds=60)
    end_badly(resources.database, last, InvalidInput("no"))


def crash(resources, job, number):
    with resources.database.cursor() as cursor:
        cursor.execute(
            "UPDATE job_chunks SET lease_expires_at = now() - interval '1 s'"
            " WHERE job_id = %s AND chunk = %s",
            (job.id, number),
        )
    sweep(resources.database, resources.settings)


def states(resources, job):
    return {c["chunk"]: c["state"] for c in list_chunks(resources.database, job.id)}


@pytest.mark.req("goal-8")
def test_pieces_of_a_split_chunk_are_retried_alone(resources):
    job = divided(resources, chunks=2)
    db = resources.database
    chunk_store.finish_chunk(db, take(resources, job, 0), {"n": 0})
    for _ in range(2):
        take(resources, job, 1)
        crash(resources, job, 1)
    pieces = [n for n, state in states(resources, job).items() if n > 1]
    assert states(resources, job)[1] == "split"
    for number in pieces[:-1]:
        chunk_store.finish_chunk(db, take(resources, job, number), {"n": number})
    for _ in range(2):
        take(resources, job, pieces[-1])
        crash(resources, job, pieces[-1])
    assert states(resources, job)[pieces[-1]] == "failed"
    fail_last_step(resources, job)

    retry_failed(db, DEFAULT_PROJECT_ID, job.id, by="ana")
    again = claim_job(db, job.id, OWNER, lease_seconds=60)
    assert chunk_store.planned_in(db, again) == 1
    assert chunk_store.resume(db, again) == [pieces[-1]]
    chunk = take(resources, again, pieces[-1])
    assert (chunk.planned_in, chunk.job_attempt, chunk.attempt) == (1, 2, 1)
    crash(resources, again, pieces[-1])
    assert states(resources, again)[pieces[-1]] == "queued", "its crashes are counted anew"
    chunk_store.finish_chunk(db, take(resources, again, pieces[-1]), {"n": 9})
    last = claim_finalize(db, job.id, OWNER, lease_seconds=60)
    results = chunk_store.chunk_results(db, last.id)
    assert {result.state for result in results} == {"succeeded"}
    assert sum(r.spec.stop_row - r.spec.start_row for r in results) == 16
    assert broken_rules(db) == []


def test_a_worker_that_dies_before_it_resumed_loses_nothing(resources):
    job = divided(resources, chunks=2)
    db = resources.database
    chunk_store.finish_chunk(db, take(resources, job, 0), {"n": 0})
    chunk_store.fail_chunk(db, take(resources, job, 1), InvalidInput("no").problem())
    fail_last_step(resources, job)
    retry_failed(db, DEFAULT_PROJECT_ID, job.id, by="ana")
    lost = claim_job(db, job.id, OWNER, lease_seconds=60)
    with db.cursor() as cursor:
        cursor.execute("UPDATE jobs SET lease_expires_at = now() - interval '1 s'")
    sweep(db, resources.settings)
    again = claim_job(db, job.id, Owner(worker="other", pid=2), lease_seconds=60)
    assert again.attempt == 3
    with pytest.raises(chunk_store.LeaseLost):
        chunk_store.resume(db, lost)
    assert chunk_store.resume(db, again) == [1]
    assert take(resources, again, 1).planned_in == 1
    assert [e.data["trigger"] for e in list_events(db, job.id) if e.type == "state"][-2:] == [
        "lease_lost",
        "claim",
    ]


def test_what_a_failed_division_has_made_is_kept_for_a_while(resources):
    job = divided(resources)
    fail = divided(resources)
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE job_chunks SET state = 'failed' WHERE job_id = %s", (fail.id,))
    fail_last_step(resources, fail)
    stranger = keys.work(new_id(), 1, "part")
    resources.storage.write(stranger, b"x")
    clean_up(resources.database, resources.storage, retry_days=7)
    assert resources.storage.exists(keys.division(job.id, 1)), "it runs"
    assert resources.storage.exists(keys.division(fail.id, 1)), "it may be retried"
    assert not resources.storage.exists(stranger)
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE jobs SET finished_at = now() - interval '8 days'")
    clean_up(resources.database, resources.storage, retry_days=7)
    assert not resources.storage.exists(keys.division(fail.id, 1))
    assert resources.storage.exists(keys.division(job.id, 1))


# ---- real workers


@pytest.mark.req("goal-8")
def test_real_workers_run_the_failed_chunks_only(
    resources, retort_environment, fast_leases, tmp_path
):
    from tests.support.probe_app import celery_app
    from workers.dispatch import send_job

    with cluster(resources, {**retort_environment, **fast_leases}, tmp_path) as start:
        start()
        new = NewJob(
            project_id=DEFAULT_PROJECT_ID,
            kind="probe",
            queue="cpu",
            params={"folder": str(tmp_path), "chunks": 4, "broken": [1, 3]},
            created_by="test",
        )
        job = submit_job(resources.database, new).job
        send_job(celery_app, job)
        wait_for(lambda: now(resources, job.id).is_terminal, "it has failed", seconds=60)
        assert now(resources, job.id).state == "failed"
        (tmp_path / "mended").touch()
        send_job(celery_app, retry_failed(resources.database, DEFAULT_PROJECT_ID, job.id, by="me"))
        wait_for(lambda: now(resources, job.id).is_terminal, "it has ended", seconds=60)
        # the worker clears up after it has said so
        work = f"work/{job.id}/"
        wait_for(lambda: not list(resources.storage.list(work)), "nothing is left", seconds=30)
    done = now(resources, job.id)
    assert done.state == "succeeded", done.error
    assert (done.result["chunks"], done.result["failed"]) == (4, [])
    runs = [len((tmp_path / f"chunk-{n}").read_text().splitlines()) for n in range(4)]
    assert runs == [1, 2, 1, 2]
    assert len((tmp_path / "planned").read_text().splitlines()) == 1


def test_a_chunk_without_an_answer_may_be_part_of_a_success(resources):
    """What a batch explains row by row is no failure, and the job stays as it ended."""
    job = divided(resources, chunks=1)
    db = resources.database
    chunk_store.fail_chunk(db, take(resources, job, 0), InvalidInput("no").problem())
    last = claim_finalize(db, job.id, OWNER, lease_seconds=60)
    succeed(db, last, Outcome(result={}))
    with pytest.raises(Conflict, match="stays as it ended") as refused:
        retry_failed(db, DEFAULT_PROJECT_ID, job.id, by="ana")
    assert "rejected" in refused.value.problem()["remedy"]
