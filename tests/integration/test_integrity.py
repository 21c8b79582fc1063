"""Every rule finds what breaks it, and nothing on a healthy database."""

import hashlib

import orjson
import pytest

from app.core.errors import InvalidInput
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.work import ChunkSpec, FanOut, Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.db.files import FileRow
from app.integrity.blobs import missing_blobs, remove_unseen, unseen_blobs
from app.integrity.records import RULES_OF_RECORDS, broken_rules
from app.jobs import chunks as chunk_store
from app.jobs.claim import Owner, claim_finalize, claim_job
from app.jobs.control import retry_failed
from app.jobs.finish import end_badly, succeed
from app.jobs.submit import NewJob, submit_job
from app.jobs.sweeper import sweep
from app.storage.memory import MemoryStorage

OWNER = Owner(worker="w#1", pid=1)
LIMIT = chunk_store.TimeLimit(base=60, per_row=1)


def submit(database, kind="featurize"):
    new = NewJob(
        project_id=DEFAULT_PROJECT_ID, kind=kind, queue="cpu", params={}, created_by="test"
    )
    return submit_job(database, new).job


def claim(database, job):
    return claim_job(database, job.id, OWNER, lease_seconds=60)


def execute(database, statement):
    with database.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def history(database):
    """Jobs that went every way there is: all of it is allowed."""
    done = claim(database, submit(database))
    chunk_store.fan_out(
        database,
        done,
        FanOut(chunks=[ChunkSpec(source={}, start_row=n, stop_row=n + 10) for n in (0, 10)]),
        LIMIT,
    )
    for number in (0, 1):
        chunk = chunk_store.claim_chunk(database, done.id, number, OWNER, lease_seconds=60)
        chunk_store.finish_chunk(database, chunk, {})
    final = claim_finalize(database, done.id, OWNER, lease_seconds=60)
    succeed(database, final, Outcome(result={"ok": 1}))
    crashed = claim(database, submit(database))
    execute(database, "UPDATE jobs SET lease_expires_at = now() - interval '1 s'")
    sweep(database, Settings())
    again = claim(database, crashed)
    end_badly(database, again, InvalidInput("no"))
    retry_failed(database, DEFAULT_PROJECT_ID, crashed.id, by="ana")
    submit(database)
    return done


def names(found):
    return {violation.rule for violation in found}


def test_a_healthy_database_breaks_no_rule(database, history):
    assert broken_rules(database) == []
    assert names(broken_rules(database, quiet=True)) == {"not_ended"}


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (
            (
                "INSERT INTO job_events (job_id, type, data)"
                " SELECT id, 'state', jsonb_build_object("
                "'state', 'running', 'trigger', 'claim', 'version', version + 1) FROM jobs"
                " WHERE state = 'succeeded'"
            ),
            "terminal_rewritten",
        ),
        ("UPDATE jobs SET state = 'failed' WHERE state = 'succeeded'", "log_disagrees"),
        (
            "DELETE FROM job_events WHERE data->>'trigger' = 'claim'",
            "impossible_step",
        ),
        ("UPDATE jobs SET attempt = 9", "attempts_over_limit"),
        (
            (
                "INSERT INTO job_attempts (job_id, attempt, ended_at, outcome) SELECT id, 2, now(),"
                " 'succeeded' FROM jobs WHERE state = 'succeeded'"
            ),
            "results",
        ),
        ("UPDATE job_attempts SET ended_at = NULL WHERE outcome = 'succeeded'", "open_attempt"),
        (
            "UPDATE jobs SET claim_token = gen_random_uuid() WHERE state = 'queued'",
            "claims",
        ),
        ("UPDATE job_chunks SET state = 'queued' WHERE chunk = 1", "unfinished_chunks"),
        ("UPDATE job_chunks SET state = 'split' WHERE chunk = 1", "rows_exactly_once"),
        (
            (
                "INSERT INTO job_chunks (job_id, chunk, root, source, start_row, stop_row, state)"
                " SELECT job_id, 2, 1, '{}', 15, 20, 'succeeded' FROM job_chunks WHERE chunk = 1"
            ),
            "rows_exactly_once",
        ),
        (
            (
                "UPDATE jobs SET kind = 'train', result = '{\"model_id\": \"x\"}'"
                " WHERE state = 'succeeded'"
            ),
            "models",
        ),
        ("UPDATE jobs SET kind = 'optimize' WHERE state = 'succeeded'", "studies"),
    ],
)
def test_each_rule_finds_what_breaks_it(database, history, damage, rule):
    execute(database, damage)
    assert rule in names(broken_rules(database))


def file_row(job, key, role="predictions", name="p.csv"):
    return FileRow(
        id=new_id(),
        name=name,
        media_type="text/csv",
        size=1,
        sha256=hashlib.sha256(b"x").hexdigest(),
        storage_key=key,
        role=role,
        job_id=None if job is None else job.id,
    )


def test_a_visible_file_of_a_job_that_did_not_succeed_is_found(database, history):
    queued = submit(database)
    with database.session() as session:
        session.add(file_row(queued, "predictions/x/1/p.csv"))
    assert "artifacts" in names(broken_rules(database))


def test_blobs_that_a_row_names_and_blobs_that_no_row_names(database, history):
    storage = MemoryStorage()
    job = history
    seen = f"predictions/{job.id}/1/predictions.csv"
    beside = f"predictions/{job.id}/1/manifest.json"
    orphans = [f"predictions/{job.id}/2/predictions.csv", "models/dead/manifest.json"]
    for key in (seen, beside, *orphans, "features/any/cache.npy"):
        storage.write(key, orjson.dumps({"files": {}}))
    with database.session() as session:
        session.add(file_row(job, seen))
    assert missing_blobs(database, storage) == []
    assert sorted(unseen_blobs(database, storage)) == sorted(orphans)
    assert remove_unseen(database, storage) == 0, "what was written just now may still be committed"
    assert remove_unseen(database, storage, older_than=0) == 2
    assert unseen_blobs(database, storage) == []
    storage.delete(seen)
    assert [violation.rule for violation in missing_blobs(database, storage)] == ["files"]


def test_every_rule_says_what_it_promises():
    assert len({rule.name for rule in RULES_OF_RECORDS}) == len(RULES_OF_RECORDS)
    assert all(len(rule.promise) > 20 for rule in RULES_OF_RECORDS)
