"""Runs every benchmark; exits non-zero when a limit is missed."""

import sys

from benchmarks import batch, submit

if __name__ == "__main__":
    # both run, whatever the first says
    results = [submit.main(), batch.main()]
    sys.exit(max(results))
