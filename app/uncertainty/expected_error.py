"""How far off a model's numbers are expected to be, learned from rows that it had not seen."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.algorithms.lightgbm_columns import used_columns, with_columns
from app.algorithms.lightgbm_rows import BoosterRows
from app.uncertainty.nearest import Nearest

Values = NDArray[np.float64]

#: fewer errors than that teach nothing about which rows are hard
MIN_ROWS = 80
_ROUNDS = 80
#: their average ranks errors a little better than one does (out-of-fold rows of the shared sets)
_MEMBERS = 3
#: columns of `error_features` before the model's own
_HINTS = 7
#: rows that are asked one by one, without LightGBM's preparations for many
_FEW = 64
#: of a standard normal variable: one-sided 5 %
_BEYOND_CHANCE = 1.645
_SETTINGS = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_leaves": 6,
    "min_child_samples": 20,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 63,
    "verbose": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}


@dataclass(frozen=True, kw_only=True)
class References:
    """What is known of the rows that a model learned from, for one target; r rows."""

    #: (r,) measured; NaN where there is no label
    y: Values
    #: (r,) measured minus out-of-fold prediction; NaN where there is none
    residuals: Values


def error_features(
    X: NDArray[Any], value: Values, std: Values | None, nearest: Nearest, known: References
) -> NDArray[np.float32]:
    """(n, 7 + width) float32: what hints at an error. The prediction, the ensemble's spread, how
    near the nearest and the five nearest are, how much these differ among each other, from the
    prediction, and how wrong the model was about them; then the model's own features X (n, width).
    """
    labels, errors = known.y[nearest.places], np.abs(known.residuals[nearest.places])
    weights = nearest.similarity + 1e-6
    hints = (
        value,
        np.nan if std is None else std,
        nearest.closest,
        nearest.similarity.mean(axis=1),
        np.abs(_mean(labels, weights) - value),
        _spread(labels),
        _mean(errors, weights),
    )
    features = np.empty((len(value), _HINTS + X.shape[1]), dtype=np.float32)
    for column, hint in enumerate(hints):
        features[:, column] = hint
    numbers = features[:, _HINTS:]
    numbers[:] = X
    if X.dtype.kind == "f":
        numbers[~np.isfinite(numbers)] = np.nan
    return features


def _mean(values: Values, weights: Values) -> Values:
    """Weighted, over the neighbours that have a value; NaN where none has."""
    known = np.isfinite(values)
    total = np.where(known, weights, 0.0).sum(axis=1)
    summed = np.where(known, values * weights, 0.0).sum(axis=1)
    means: Values = np.divide(summed, total, out=np.full(len(values), np.nan), where=total > 0)
    return means


def _spread(values: Values) -> Values:
    """Standard deviation over the neighbours that have a value; NaN below two of them."""
    known = np.isfinite(values)
    n = known.sum(axis=1)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=1) / np.maximum(n, 1)
    squares = np.where(known, (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
    return np.where(n > 1, np.sqrt(squares / np.maximum(n, 1)), np.nan)


@dataclass(frozen=True, kw_only=True)
class ErrorModel:
    """The average of small boosters of log |error|; without one (`constant`) every row is as hard
    as any other.

    The normaliser of normalised conformal prediction (Papadopoulos, Gammerman & Vovk 2008; error
    models of QSAR: Sheridan 2013, J. Chem. Inf. Model. 53, 2837).
    """

    boosters: tuple[Any, ...]
    #: added before the logarithm: errors below it are equally small
    floor: float

    @classmethod
    def constant(cls) -> Self:
        return cls(boosters=(), floor=0.0)

    @classmethod
    def fit(cls, features: NDArray[np.float32], errors: Values) -> Self:
        """`errors` (n,) absolute, in the target's unit."""
        import lightgbm

        floor = float(0.2 * np.median(errors)) + 1e-12
        data = lightgbm.Dataset(
            features,
            label=np.log(errors + floor),
            params={"max_bin": 63, "verbose": -1},
            free_raw_data=False,
        )
        # a fifth of many columns, but of few not fewer than twenty
        share = min(1.0, max(0.2, 20 / features.shape[1]))
        boosters = tuple(
            lightgbm.train({**_SETTINGS, "feature_fraction": share, "seed": seed}, data, _ROUNDS)
            for seed in range(_MEMBERS)
        )
        return cls(boosters=boosters, floor=floor)

    def predict(self, features: NDArray[np.float32]) -> Values:
        """(n,) expected size of the error, in the target's unit; 1 for all without a booster."""
        if not self.boosters or not len(features):
            return np.ones(len(features))
        if len(features) <= _FEW:
            said = [rows.predict(features)[:, 0] for rows in self._by_row]
        else:
            said = [booster.predict(features, num_threads=1) for booster in self.boosters]
        return np.asarray(np.exp(np.mean(said, axis=0)), dtype=np.float64)

    @cached_property
    def _by_row(self) -> tuple[BoosterRows, ...]:
        return tuple(BoosterRows(booster) for booster in self.boosters)

    @cached_property
    def narrow(self) -> "tuple[NDArray[np.int64], ErrorModel]":
        """(k,) columns of X that the boosters look at, and what expects the same, to the last bit,
        of features that hold only these beside the hints.
        """
        used = [used_columns(booster) for booster in self.boosters]
        columns = np.unique(np.concatenate(used)) if used else np.empty(0, dtype=np.int64)
        columns = columns[columns >= _HINTS]
        kept = np.concatenate([np.arange(_HINTS), columns])
        boosters = tuple(with_columns(booster, kept) for booster in self.boosters)
        return columns - _HINTS, replace(self, boosters=boosters)

    def save(self, folder: Path, name: str) -> None:
        """`<name>-<member>.txt`; nothing where there is no booster."""
        for number, booster in enumerate(self.boosters):
            booster.save_model(folder / f"{name}-{number}.txt")

    @classmethod
    def load(cls, folder: Path, name: str, floor: float) -> Self:
        import lightgbm

        paths = sorted(folder.glob(f"{name}-*.txt"))
        boosters = tuple(lightgbm.Booster(model_file=path) for path in paths)
        return cls(boosters=boosters, floor=floor)


def follows_distance(
    learned: Values, distance: Values, errors: Values, *, drawn_singly: bool
) -> bool:
    """Whether errors (n,) are better expected by the distance (n,) to the training rows than by an
    error model (`learned` (n,), cross-fitted).

    Of rows that are drawn singly: where it orders them better. Of groups (scaffolds): also where
    it orders them beyond chance and the model not better than it beyond chance, one-sided 5 %
    each. Errors within a group are alike, so ranks there vary more from split to split, and the
    better of two is too often the one that had something to learn.

    Spearman's rank correlations with the errors, compared by the test of two correlations that
    share a variable (Meng, Rosenthal & Rubin 1992, Psychol. Bull. 111, 172).
    """
    by_model, by_distance = ranked(learned, errors), ranked(distance, errors)
    if by_distance > by_model or drawn_singly:
        return by_distance > by_model
    if np.arctanh(by_distance) * np.sqrt(len(errors) - 3) <= _BEYOND_CHANCE:
        return False
    lead = compared(by_model, by_distance, ranked(learned, distance), len(errors))
    return lead <= _BEYOND_CHANCE


def compared(first: float, second: float, between: float, n: int) -> float:
    """By how many standard errors the first of two correlations with the same variable is larger;
    `between` is that of the two others, n the number of rows (Meng, Rosenthal & Rubin's Z).
    """
    if first == second:
        return 0.0
    mean_square = (first**2 + second**2) / 2
    f = min((1 - between) / (2 * (1 - mean_square)), 1.0)
    h = (1 - f * mean_square) / (1 - mean_square)
    scale = np.sqrt((n - 3) / (2 * (1 - between) * h))
    return float((np.arctanh(first) - np.arctanh(second)) * scale)


def ranked(expected: Values, errors: Values) -> float:
    """How well expected errors (n,) order the errors: Spearman's rank correlation; 0 where all are
    expected alike.
    """
    from scipy.stats import spearmanr

    return float(spearmanr(expected, errors).statistic) if np.ptp(expected) else 0.0


def cross_fitted(features: NDArray[np.float32], errors: Values, folds: NDArray[np.int64]) -> Values:
    """(n,) expected errors, each by a model that saw no error of its fold."""
    expected = np.empty(len(errors))
    for fold in np.unique(folds):
        out = folds == fold
        expected[out] = ErrorModel.fit(features[~out], errors[~out]).predict(features[out])
    return expected
