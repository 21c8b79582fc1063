"""Migrations go up and down, say the same as the tables in code, and spare the release before."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from app.core.settings import get_settings

ROOT = Path(__file__).resolve().parents[2]
#: oldest first
REVISIONS = list(ScriptDirectory(ROOT / "migrations").walk_revisions())[::-1]
#: the first one starts with an empty database, which no release runs on
LATER = REVISIONS[1:]


def alembic(url, *words):
    return subprocess.run(
        [sys.executable, "-m", "alembic", *words],
        cwd=ROOT,
        env=os.environ | {"RETORT_DATABASE_URL": url},
        check=False,
        capture_output=True,
        text=True,
    )


def succeeds(url, *words):
    done = alembic(url, *words)
    assert done.returncode == 0, done.stdout + done.stderr


def tables(url):
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    return {name for (name,) in rows} - {"alembic_version"}


def shape(url):
    """Every column, constraint and index, as Postgres tells them."""
    queries = (
        """SELECT table_name, column_name, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public'""",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    )
    with psycopg.connect(url) as connection:
        return [sorted(connection.execute(query).fetchall(), key=repr) for query in queries]


@pytest.mark.req("goal-91")
def test_up_down_up_and_no_difference(empty_postgres_url):
    url = empty_postgres_url
    succeeds(url, "upgrade", "head")
    made, first = tables(url), shape(url)
    assert {"jobs", "job_chunks", "job_events", "models"} <= made
    succeeds(url, "check")
    succeeds(url, "downgrade", "base")
    assert tables(url) == set()
    succeeds(url, "upgrade", "head")
    assert tables(url) == made
    assert shape(url) == first
    succeeds(url, "check")


def test_check_sees_a_difference(empty_postgres_url):
    succeeds(empty_postgres_url, "upgrade", "head")
    with psycopg.connect(empty_postgres_url) as connection:
        connection.execute("ALTER TABLE jobs ALTER COLUMN queue DROP NOT NULL")
    assert alembic(empty_postgres_url, "check").returncode != 0


@pytest.fixture
def migrating_here(empty_postgres_url, monkeypatch):
    """Alembic's configuration for that database in this process: a process for each of dozens of
    steps takes minutes.
    """
    monkeypatch.setenv("RETORT_DATABASE_URL", empty_postgres_url)
    monkeypatch.chdir(ROOT)
    get_settings.cache_clear()
    yield Config("alembic.ini")
    get_settings.cache_clear()


def test_each_step_back_is_the_schema_before_it(empty_postgres_url, migrating_here):
    """What `docs/upgrading.md` tells an operator who goes back one release."""
    shapes = {}
    for script in REVISIONS:
        command.upgrade(migrating_here, script.revision)
        shapes[script.revision] = shape(empty_postgres_url)
    for script in reversed(LATER):
        command.downgrade(migrating_here, script.down_revision)
        assert shape(empty_postgres_url) == shapes[script.down_revision]


# ---- the release before runs on the new schema


#: what the code of the release before does not survive
_CONTRACTING = (
    r"\bDROP\s+(TABLE|COLUMN|SCHEMA|VIEW|TYPE)\b",
    r"\bALTER\s+TABLE\b.*\bDROP\s+(?!CONSTRAINT\b|NOT\s+NULL\b)",
    r"\bRENAME\b",
    r"\bSET\s+NOT\s+NULL\b",
    r"\bALTER\s+(COLUMN\s+)?\S+\s+(SET\s+DATA\s+)?TYPE\b",
    r"\bADD\s+COLUMN\b(?=.*\bNOT\s+NULL\b)(?!.*\b(DEFAULT|GENERATED)\b)",
    # but for a trigger that refuses it
    r"(?<!BEFORE )\bTRUNCATE\b",
)


def contracting(sql: str) -> list[str]:
    """The statements of `sql` that take something away from code that runs already."""
    without_comments = re.sub(r"--[^\n]*", "", sql)
    statements = (" ".join(part.split()) for part in without_comments.split(";"))
    return [
        statement
        for statement in statements
        if any(re.search(pattern, statement, re.IGNORECASE) for pattern in _CONTRACTING)
    ]


def sql_of(script) -> str:
    """What the migration would run, without running it (alembic's `--sql`)."""
    told = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": told}
    )
    with Operations.context(context):
        script.module.upgrade()
    return told.getvalue()


def test_the_first_migration_is_the_only_one_without_a_release_before_it():
    assert [script.revision for script in REVISIONS][:1] == ["0001"]
    assert all(script.down_revision for script in LATER)


@pytest.mark.parametrize("script", LATER, ids=lambda script: script.revision)
def test_a_migration_only_adds(script):
    """One that cleans up after an earlier release says `contracts = True` (docs/upgrading.md)."""
    sql = sql_of(script)
    assert sql.strip()
    if not getattr(script.module, "contracts", False):
        assert contracting(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE jobs",
        "ALTER TABLE jobs DROP COLUMN queue",
        "alter table jobs\n  drop column queue",
        "ALTER TABLE jobs DROP queue",
        "ALTER TABLE jobs RENAME TO work",
        "ALTER TABLE jobs RENAME queue TO line",
        "ALTER TABLE jobs ALTER COLUMN worker SET NOT NULL",
        "ALTER TABLE jobs ALTER COLUMN attempt TYPE INTEGER",
        "ALTER TABLE jobs ALTER attempt SET DATA TYPE INTEGER",
        "ALTER TABLE jobs ALTER COLUMN attempt DROP DEFAULT",
        "ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL",
        "TRUNCATE jobs",
        "CREATE INDEX a ON jobs (queue); DROP TABLE job_chunks",
    ],
)
def test_the_checker_refuses_what_takes_away(sql):
    assert len(contracting(sql + ";")) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE notes (id UUID NOT NULL, type TEXT NOT NULL)",
        "ALTER TABLE jobs ADD COLUMN note TEXT",
        "ALTER TABLE jobs ADD COLUMN note TEXT DEFAULT '' NOT NULL",
        "ALTER TABLE jobs ADD COLUMN type TEXT",
        "CREATE INDEX ix_jobs_type ON jobs (type)",
        "ALTER TABLE jobs ALTER COLUMN queue DROP NOT NULL",
        "ALTER TABLE jobs DROP CONSTRAINT ck_jobs_state",
        "DROP INDEX ix_jobs_newest",
        "-- Running upgrade 0001 -> 0002: DROP TABLE of nothing\nSELECT 1",
    ],
)
def test_the_checker_lets_pass_what_adds(sql):
    assert contracting(sql + ";") == []
