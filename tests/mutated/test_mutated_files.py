"""1,000 files mutated from the shared ones: accounted rows or a clear refusal, bounded memory.

A failing seed is looked at by `python -m tests.mutated.ingesting <seed> <seed + 1>`, or written out
by `mutant(seed).content`.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = 1_000
PROCESSES = 2
#: of which some 250 MB are libraries; 550 MB were seen
MAX_PEAK = 800 << 20


def ingested(environment, first, stop):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.mutated.ingesting", str(first), str(stop)],
        cwd=ROOT,
        env={**os.environ, **environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def told(retort_environment):
    share = FILES // PROCESSES
    running = [ingested(retort_environment, n * share, (n + 1) * share) for n in range(PROCESSES)]
    lines = []
    for process in running:
        out, err = process.communicate(timeout=500)
        lines += out.splitlines()
        seen = out.splitlines()[-1:] or ["nothing"]
        assert process.returncode == 0, f"it died after {seen[0][:500]}: {err[-2000:]}"
    return [json.loads(line) for line in lines]


@pytest.mark.slow
@pytest.mark.req("goal-25")
def test_every_mutant_is_accounted_for_or_refused_in_words(told):
    assert [one["seed"] for one in told] == list(range(FILES))
    wrong = [f"seed {one['seed']} {one['how']}: {why}" for one in told if (why := fault(one))]
    assert not wrong, "\n".join(wrong[:20])
    kinds = Counter("ok" if "counts" in one else one["problem"]["code"] for one in told)
    print(dict(kinds.most_common()))
    assert kinds["ok"] > FILES / 4, "the mutants are not all refused at the door"
    assert len(kinds) > 8
    assert max(one["peak"] for one in told) < MAX_PEAK


def fault(one):
    """What is wrong with how this mutant ended; None when nothing is."""
    if "trace" in one:
        return one["trace"]
    if "problem" in one:
        problem = one["problem"]
        named = problem["code"] and problem["detail"] and problem["remedy"]
        return None if named and not problem["retryable"] else f"no clear refusal: {problem}"
    counts, reasons = one["counts"], one["rejected"]
    accounted = counts["rows_ok"] + counts["rows_rejected"] + counts["rows_merged"]
    if accounted != counts["rows_in"] or len(reasons) != counts["rows_rejected"]:
        return f"rows are not accounted for: {counts}, {len(reasons)} in rejected.csv"
    return None if all(reasons) else "a row is refused without a reason"
