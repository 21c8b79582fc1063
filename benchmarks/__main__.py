"""Runs every benchmark; exits non-zero when a limit is missed."""

import sys

from benchmarks import batch, fairness, ingest, jobs_list, submit

if __name__ == "__main__":
    # all run, whatever the first says
    results = [submit.main(), batch.main(), fairness.main(), jobs_list.main(), ingest.main()]
    sys.exit(max(results))
