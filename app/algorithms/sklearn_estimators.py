"""scikit-learn estimators as algorithms: built by the plug-in, stored by skops, never pickled."""

import io
import re
import zipfile
from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import FitContext
from app.algorithms.per_target import PerTargetAlgorithm, Sample
from app.algorithms.skops_io import skops_io
from app.core.errors import InvalidInput

_EPOCH = (1980, 1, 1, 0, 0, 0)

#: what skops may build beside plain numpy and scikit-learn's own public classes: skops flags these
#: since they are compiled; they hold numbers only
_TRUSTED = frozenset(
    {
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyHalfMultinomialLoss",
        "sklearn._loss._loss.CyHalfSquaredError",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.common.MonotonicConstraint",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)


def _repeatable(data: bytes) -> bytes:
    """The same archive without what differs from run to run: times, and the memory addresses by
    which skops names objects and their files (renumbered in the order of the schema).
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = files.pop("schema.json").decode()
    found = dict.fromkeys(re.findall(r'"__id__": (\d+)', schema))
    numbers = {address: str(n) for n, address in enumerate(found)}

    def renamed(match: re.Match[str]) -> str:
        return f"{match[1]}{numbers.get(match[2], match[2])}"

    schema = re.sub(r'("__id__": |"file": ")(\d+)', renamed, schema)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files, key=lambda n: int(numbers.get(n.split(".")[0], "0"))):
            stem, _, ending = name.partition(".")
            entry = zipfile.ZipInfo(f"{numbers.get(stem, stem)}.{ending}", _EPOCH)
            archive.writestr(entry, files[name])
        archive.writestr(zipfile.ZipInfo("schema.json", _EPOCH), schema)
    return buffer.getvalue()


def labels(sample: Sample, task: str) -> NDArray[Any]:
    """As scikit-learn wants them: numbers, or whole numbers for classes."""
    return sample.y if task == "regression" else sample.labels


def weighting(sample: Sample) -> dict[str, Any]:
    """The keyword of scikit-learn's `fit`, where rows do not all count the same."""
    return {} if sample.weights is None else {"sample_weight": sample.weights}


class SklearnAlgorithm(PerTargetAlgorithm):
    """Subclasses give the unfitted estimator."""

    @abstractmethod
    def estimator(self, task: str, context: FitContext) -> Any:
        """An unfitted scikit-learn estimator for `task`."""

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        from threadpoolctl import threadpool_limits

        estimator = self.estimator(task, context)
        # OpenMP pools of several processes on the same cores wait for each other
        with threadpool_limits(context.threads):
            return estimator.fit(sample.X, labels(sample, task), **weighting(sample))

    @staticmethod
    def save_one(estimator: Any, path: Path) -> None:
        path.write_bytes(_repeatable(skops_io().dumps(estimator)))

    @staticmethod
    def load_one(path: Path) -> Any:
        skops = skops_io()
        foreign = sorted(set(skops.get_untrusted_types(file=path)) - _TRUSTED)
        if foreign:
            raise InvalidInput(
                f"the model file {path.name} holds types that are not allowed: {foreign[0]}",
                remedy="Load only models that this product trained; do not edit their files.",
            )
        return skops.load(path, trusted=sorted(_TRUSTED))

    @staticmethod
    def importances_one(estimator: Any) -> NDArray[np.float64] | None:
        found = getattr(estimator, "feature_importances_", None)
        if found is None and hasattr(estimator, "coef_"):
            found = np.abs(np.atleast_2d(estimator.coef_)).mean(axis=0)
        return None if found is None else np.asarray(found, dtype=np.float64)

    @staticmethod
    def coefficients_one(estimator: Any) -> NDArray[np.float64] | None:
        found = np.atleast_2d(getattr(estimator, "coef_", np.empty((0, 0))))
        return np.asarray(found[0], dtype=np.float64) if len(found) == 1 else None
