"""A model that is well where it was trained, and slow to load, slow to answer, or broken elsewhere.

What it predicts is the median plus the first feature, plus `shift`, by which versions are told
apart.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from pydantic import Field

from app.algorithms.base import Algorithm, Predictions, algorithms
from app.core.plugin import PluginParams


class Late:
    def __init__(self, median: list[float], params: dict[str, Any], *, loaded: bool) -> None:
        self._median = median
        self._params = params
        self._loaded = loaded

    def predict(self, X: Any) -> Predictions:
        if self._loaded:
            time.sleep(self._params["answer_seconds"])
            if self._params["breaks"]:
                raise RuntimeError("this model is broken")
        return Predictions(values=np.tile(self._median, (len(X), 1)) + X[:, :1])

    def save(self, folder: Path) -> None:
        said = {"median": self._median, "params": self._params}
        (folder / "late.json").write_bytes(orjson.dumps(said))

    def describe(self) -> dict[str, Any]:
        return {}


@algorithms.register
class ProbeLate(Algorithm):
    name = "probe_late"
    summary = "The median plus the first feature, late once it is loaded"
    reference = "-"
    tasks = frozenset({"regression"})

    class Params(PluginParams):
        shift: float = 0.0
        #: what loading takes, without the interpreter's lock
        load_seconds: float = Field(default=0.0, ge=0)
        #: what each prediction of a loaded model takes
        answer_seconds: float = Field(default=0.0, ge=0)
        #: a loaded model predicts nothing
        breaks: bool = False

    def fit(self, task: Any, train: Any, validation: Any, context: Any) -> Late:
        median = [float(value) + self.params.shift for value in np.nanmedian(train.y, axis=0)]
        return Late(median, self.params.model_dump(), loaded=False)

    @classmethod
    def load(cls, folder: Path, task: Any) -> Late:
        said = orjson.loads((folder / "late.json").read_bytes())
        time.sleep(said["params"]["load_seconds"])
        return Late(said["median"], said["params"], loaded=True)
