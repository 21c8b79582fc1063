"""Algorithms that take as long as a test wants and cost no CPU: the median, slowly.

Everything around the fit (claim, lease, features, split, evaluation, bundle, commit) is the
product's own. `probe_slow_gpu` goes to the gpu queue.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from pydantic import Field

from app.algorithms.base import Algorithm, Predictions, algorithms
from app.core.plugin import PluginParams


class Median:
    def __init__(self, values: list[float]) -> None:
        self.values = values

    def predict(self, X: Any) -> Predictions:
        return Predictions(values=np.tile(self.values, (len(X), 1)) + X[:, :1])

    def save(self, folder: Path) -> None:
        (folder / "median.json").write_bytes(orjson.dumps(self.values))

    def describe(self) -> dict[str, Any]:
        return {"median": self.values}


class _Slow(Algorithm):
    summary = "The median plus the first feature, slowly"
    reference = "-"
    tasks = frozenset({"regression"})

    class Params(PluginParams):
        seconds: float = Field(default=0.0, ge=0)
        shift: float = 0.0

    def fit(self, task: Any, train: Any, validation: Any, context: Any) -> Median:
        end = time.monotonic() + self.params.seconds
        while time.monotonic() < end:
            time.sleep(0.05)
            context.work.raise_if_cancelled()
        return Median([float(v) + self.params.shift for v in np.nanmedian(train.y, axis=0)])

    @classmethod
    def load(cls, folder: Path, task: Any) -> Median:
        return Median(orjson.loads((folder / "median.json").read_bytes()))

    @classmethod
    def suggest(cls, trial: Any, task: Any) -> dict[str, Any]:
        return {"shift": trial.suggest_float("shift", -1, 1), "seconds": 0.3}


@algorithms.register
class ProbeSlow(_Slow):
    name = "probe_slow"


@algorithms.register
class ProbeSlowGpu(_Slow):
    name = "probe_slow_gpu"
    device = "gpu"
