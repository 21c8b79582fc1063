"""A forest of 500 trees asked for few rows: scikit-learn with n_jobs=1 against the fast form.

One process, one thread, calls in turn; the median of processor time counts, so that other work of
the machine does not. Ours says the spread of the trees too.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from benchmarks.records import Result, finish

TREES = 500
ROWS = (1, 2, 8, 64, 600)
#: scikit-learn's time for one row over ours
LIMIT = 12.0


def milliseconds(work: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        started = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - started))
    return statistics.median(taken)


def main() -> list[Result]:
    rng = np.random.default_rng(0)
    X = (rng.random((900, 2048)) < 0.03).astype(np.uint8)
    y = X[:, :30] @ rng.normal(size=30) + rng.normal(scale=0.5, size=len(X))
    task = LearningTask(type="regression", targets=("y",))
    settings = {"n_estimators": TREES, "max_features": "sqrt"}
    model: Any = (
        algorithms.get("random_forest")
        .from_values(settings)
        .fit(task, Examples(X=X, y=y[:, None]), None, FitContext())
    )
    forest = model._fitted[0].estimator.set_params(n_jobs=1)  # noqa: SLF001 - the peer's own object
    print(model.describe()["fast_form"]["y"])
    ratios, one = {}, (0.0, 0.0)
    for n in ROWS:
        rows = X[:n]
        times = 15 if n < 64 else 5
        peer = milliseconds(partial(forest.predict, rows), times)
        ours = milliseconds(partial(model.predict, rows), times)
        ratios[n] = peer / ours
        one = (peer, ours) if n == 1 else one
        print(f"{n:4d} rows: scikit-learn {peer:8.2f} ms, ours {ours:8.2f} ms, {ratios[n]:6.1f}x")
    more = [n for n in ROWS if n > 1]
    several = f"{', '.join(map(str, more))} rows: {', '.join(f'{ratios[n]:.2g}' for n in more)}"
    return [
        Result(
            name="one_row",
            what=f"{TREES}-tree forest, one row ({several} times)",
            ours=f"{one[1]:.1f} ms",
            beside=f"scikit-learn, `n_jobs=1`: {one[0]:.0f} ms",
            ratio=ratios[1],
            digits=0,
            limit=LIMIT,
            at_least=True,
        )
    ]


if __name__ == "__main__":
    sys.exit(finish(main()))
