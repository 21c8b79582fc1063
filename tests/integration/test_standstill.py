"""A process that stands still in a transaction (a frozen machine) holds nobody up for long."""

import os
import signal
import subprocess
import sys
import time

import optuna
import psycopg
import pytest
import sqlalchemy.exc
from sqlalchemy import text

from app.core.settings import Settings
from app.db.database import Database
from app.jobs.outages import is_outage
from app.jobs.sweeper import sweep
from app.resources import Resources
from app.tuning.study import create_study, study_storage
from tests.support.waiting import wait_for

_HOLDER = """
import sys, time
from app.db.database import Database
with Database(sys.argv[1], idle_in_transaction_seconds=2).session() as session:
    session.connection().exec_driver_sql("SELECT pg_advisory_xact_lock(7, 77)")
    print("held", flush=True)
    time.sleep(600)
"""


#: more than a busy machine lets a process wait between two statements
PATIENCE, STANDSTILL = 2.0, 3.5


@pytest.fixture
def impatient(postgres_url):
    database = Database(postgres_url, idle_in_transaction_seconds=PATIENCE)
    yield database
    database.dispose()


def test_a_stopped_process_lets_go_of_its_locks(database, postgres_url):
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, postgres_url], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        begun = time.monotonic()

        def free():
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(7, 77) AS free")
                return cursor.fetchone()["free"]

        assert not free()
        wait_for(free, "its lock is free", 20)
        assert time.monotonic() - begun > 1, "its transaction ended before its time"
    finally:
        holder.kill()
        holder.communicate()


_AMID_STATEMENTS = """
import sys, time
from app.db.database import Database

def rows():
    for n in range(5):
        yield (n,)
        print("sent", flush=True)
    time.sleep(600)

with Database(sys.argv[1]).cursor() as cursor:
    cursor.execute("SELECT pg_advisory_xact_lock(7, 78)")
    cursor.executemany("SELECT %s", rows())
"""


def test_the_sweep_ends_who_stands_still_amid_many_statements(database, postgres_url):
    """Postgres counts such a transaction as active, however long nothing comes."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _AMID_STATEMENTS, postgres_url], stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(5):
            assert holder.stdout.readline() == "sent\n"
        os.kill(holder.pid, signal.SIGSTOP)
        query = (
            "SELECT state FROM pg_stat_activity WHERE wait_event = 'ClientRead' AND query LIKE"
            " 'SELECT $1%' AND datname = current_database()"
        )
        with database.cursor() as cursor:
            cursor.execute(query)
            assert [row["state"] for row in cursor.fetchall()] == ["active"]
        assert sweep(database, Settings()).found == {}, "its lease is not over"
        time.sleep(2.0)
        short = Settings(lease_seconds=1.0, heartbeat_seconds=0.5)
        assert sweep(database, short).found == {"standstills": 1}
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(7, 78) AS free")
            assert cursor.fetchone()["free"]
    finally:
        holder.kill()
        holder.communicate()


def stand_still_in_a_session(database):
    with database.session() as session:
        session.execute(text("CREATE TABLE stood_still (n int)"))
        time.sleep(STANDSTILL)
        session.execute(text("SELECT 1"))


def stand_still_in_a_cursor(database):
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE stood_still (n int)")
        time.sleep(STANDSTILL)
        cursor.execute("SELECT 1")


def stand_still_before_the_commit_of_a_session(database):
    with database.session() as session:
        session.execute(text("CREATE TABLE stood_still (n int)"))
        time.sleep(STANDSTILL)


def stand_still_before_the_commit_of_a_cursor(database):
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE stood_still (n int)")
        time.sleep(STANDSTILL)


@pytest.mark.parametrize(
    ("stand_still", "error"),
    [
        (stand_still_in_a_session, sqlalchemy.exc.OperationalError),
        (stand_still_before_the_commit_of_a_session, sqlalchemy.exc.OperationalError),
        (stand_still_in_a_cursor, psycopg.OperationalError),
        (stand_still_before_the_commit_of_a_cursor, psycopg.OperationalError),
    ],
)
def test_a_block_that_stood_still_is_an_outage_and_wrote_nothing(impatient, stand_still, error):
    with pytest.raises(error) as caught:
        stand_still(impatient)
    assert is_outage(caught.value)
    with impatient.cursor() as cursor:  # the next block has a connection that works
        cursor.execute("SELECT to_regclass('stood_still') AS found")
        assert cursor.fetchone()["found"] is None


def test_a_process_has_the_patience_of_its_lease(database, postgres_url):
    settings = Settings(database_url=f"{postgres_url}?options=-cwork_mem%3D8MB", lease_seconds=45.0)
    resources = Resources(settings)
    with resources.database.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone()["idle_in_transaction_session_timeout"] == "45s"
        cursor.execute("SHOW work_mem")  # what the URL asks for is kept
        assert cursor.fetchone()["work_mem"] == "8MB"
    with study_storage(resources.database).engine.connect() as connection:
        shown = connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar()
        assert shown == "45s"
    resources.database.dispose()
    with database.connect() as listening:  # outside of transactions nothing ends by itself
        row = listening.execute("SHOW idle_in_transaction_session_timeout").fetchone()
        assert row["idle_in_transaction_session_timeout"] == "0"


def test_a_first_study_made_too_slowly_is_an_outage_and_is_made_next_time(impatient, monkeypatch):
    """Its lock may be another's by now: not our mistake, as the job would be told."""
    calls = []

    def slow(*args, **kwargs):
        calls.append(kwargs)
        time.sleep(STANDSTILL)
        return optuna.storages.RDBStorage(*args, **kwargs)

    monkeypatch.setattr("app.tuning.study.RDBStorage", slow)
    with pytest.raises(sqlalchemy.exc.OperationalError) as caught:
        study_storage(impatient)
    assert is_outage(caught.value)
    study_storage(impatient)  # the tables are there: it needs no lock
    assert [call.get("skip_table_creation", False) for call in calls] == [False, True]


def test_tables_half_made_are_made_whole(database):
    """A process was killed between Optuna's tables and their version."""
    study_storage(database)
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM optuna.alembic_version")
        cursor.execute("DROP TABLE optuna.trial_heartbeats")
    create_study(database, "whole", "minimize").ask()
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('optuna.trial_heartbeats') IS NOT NULL AS made")
        assert cursor.fetchone()["made"]
        cursor.execute("SELECT count(*) AS n FROM optuna.alembic_version")
        assert cursor.fetchone()["n"] == 1


def test_a_study_that_stood_still_is_an_outage(database, impatient, monkeypatch):
    """Optuna's engine is its own: what ended its transaction comes wrapped twice."""
    study_storage(database)
    study = create_study(impatient, "still", "minimize")
    dialect = study._storage._backend.engine.dialect
    commit = dialect.do_commit

    def late(connection):
        time.sleep(STANDSTILL)
        commit(connection)

    monkeypatch.setattr(dialect, "do_commit", late)
    with pytest.raises(optuna.exceptions.StorageInternalError) as caught:
        study.ask()
    assert is_outage(caught.value)


def test_an_outage_behind_a_study_is_an_outage(database, monkeypatch):
    """Optuna wraps it: a training would end as our mistake when Postgres was started again."""
    study = create_study(database, "outage", "minimize")
    engine = study._storage._backend.engine
    gone = sqlalchemy.exc.OperationalError("SELECT 1", {}, ConnectionResetError())
    wrong = sqlalchemy.exc.DataError("SELECT 1", {}, ValueError())
    for error, expected in ((gone, True), (wrong, False)):

        def fail(*_, error=error):
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(engine.dialect, "do_commit", fail)
            with pytest.raises(optuna.exceptions.StorageInternalError) as caught:
                study.ask()
        assert is_outage(caught.value) is expected
