"""Migrations go up and down, and say the same as the tables in code."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]


def alembic(url, *words):
    return subprocess.run(
        [sys.executable, "-m", "alembic", *words],
        cwd=ROOT,
        env=os.environ | {"RETORT_DATABASE_URL": url},
        check=False,
        capture_output=True,
        text=True,
    )


def tables(url):
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    return {name for (name,) in rows} - {"alembic_version"}


def test_up_down_up_and_no_difference(empty_postgres_url):
    url = empty_postgres_url
    assert alembic(url, "upgrade", "head").returncode == 0
    made = tables(url)
    assert {"jobs", "job_chunks", "job_events", "models"} <= made
    check = alembic(url, "check")
    assert check.returncode == 0, check.stdout + check.stderr
    assert alembic(url, "downgrade", "base").returncode == 0
    assert tables(url) == set()
    assert alembic(url, "upgrade", "head").returncode == 0
    assert tables(url) == made
