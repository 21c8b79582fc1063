"""A million rows are put together in bounded memory (chemistry left out: it is done in chunks)."""

import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from app.db.datasets import DatasetRow
from tests.support.cluster import ROOT

ROWS = 1_000_000
LIMIT = 1_000_000_000


@pytest.mark.slow
@pytest.mark.req("goal-24", "S4-18")
def test_a_million_rows_are_finalized_below_one_gigabyte(resources, retort_environment):
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.large_ingest", str(ROWS)],
        cwd=ROOT,
        env={**os.environ, **retort_environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["rows_in"] == ROWS
    assert found["rows_rejected"] == ROWS // 50
    assert found["rows_merged"] > 50_000
    assert found["rows_ok"] + found["rows_rejected"] + found["rows_merged"] == ROWS
    assert found["peak"] < LIMIT, found
    with resources.database.session() as session:
        row = session.get(DatasetRow, found["dataset_id"])
        folder = row.manifest_key.rpartition("/")[0]
        assert row.report["duplicates"]["conflicts"] > 50_000
        assert len(row.report["duplicates"]["named"]) == 100
    file = pq.ParquetFile(resources.storage.local_path(f"{folder}/clean.parquet"))
    assert file.metadata.num_rows == found["rows_ok"]
