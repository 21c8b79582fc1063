"""Words as what the target was on average where training rows had them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from app.featurizers.base import Targets

#: stands for a missing cell, which is a word like others; no cell that is read is empty
_MISSING = ""


@dataclass(frozen=True, kw_only=True)
class _Aim:
    """A number of each row whose mean says something: the target, or whether it is of a class."""

    label: str
    #: (n,), NaN without a label
    y: NDArray[np.float64]


class TargetColumn(BaseModel):
    """One number per target (per class, where there are more than two): the mean over the training
    rows with the word, drawn to the mean of all rows as far as these rows are few or scattered
    (empirical Bayes; Micci-Barreca 2001, ACM SIGKDD Explor. 3, 27; scikit-learn TargetEncoder,
    smooth="auto"). A word that no training row has is the mean of all.
    """

    model_config = ConfigDict(frozen=True)

    type: Literal["target"] = "target"
    name: str
    labels: tuple[str, ...]
    #: mean over all training rows, per label
    means: tuple[float, ...]
    #: by word, per label
    encodings: dict[str, tuple[float, ...]]

    @classmethod
    def fit(cls, name: str, values: NDArray[np.object_], targets: Targets) -> Self:
        """`values` (n,) words or None. No label is left where all words are one, or all targets."""
        words = _words(values)
        aims = [aim for aim in _aims(targets) if len(set(words)) > 1 and _varies(aim.y)]
        found = [_encode(words, aim.y) for aim in aims]
        return cls(
            name=name,
            labels=tuple(aim.label for aim in aims),
            means=tuple(mean for _, mean in found),
            encodings={
                word: tuple(encoded.get(word, mean) for encoded, mean in found)
                for word in sorted(set(words))
            },
        )

    def cross_fitted(
        self, values: NDArray[np.object_], targets: Targets, folds: Sequence[NDArray[np.int64]]
    ) -> NDArray[np.float64]:
        """(n, labels) of the rows that it was fitted on, each encoded from the other folds: else a
        word that occurs once would be its own row's label.
        """
        words = np.array(_words(values))
        encoded = np.tile(np.array(self.means), (len(words), 1))
        aims = {aim.label: aim.y for aim in _aims(targets)}
        for fold in folds:
            others = np.setdiff1d(np.arange(len(words)), fold)
            for place, label in enumerate(self.labels):
                y = aims[label][others]
                if np.isfinite(y).any():
                    found, mean = _encode(words[others], y)
                    encoded[fold, place] = [found.get(word, mean) for word in words[fold]]
        return encoded

    @property
    def columns(self) -> list[str]:
        return [f"{self.name}: {label}" for label in self.labels]

    def transform(self, values: NDArray[np.object_]) -> NDArray[np.float64]:
        rows = [self.encodings.get(word, self.means) for word in _words(values)]
        return np.array(rows, dtype=np.float64).reshape(len(values), len(self.labels))

    def notes(self, values: NDArray[np.object_]) -> list[tuple[int, str]]:
        return [
            (row, f"{self.name} is missing, as in no training row")
            if word == _MISSING
            else (row, f"{self.name}: no training row has {word[:50]!r}")
            for row, word in enumerate(_words(values))
            if word not in self.encodings
        ]


def _words(values: NDArray[np.object_]) -> list[str]:
    return [_MISSING if value is None else value for value in values]


def _aims(targets: Targets) -> Iterator[_Aim]:
    """Of two classes the second one is enough."""
    for number, name in enumerate(targets.names):
        y = targets.y[:, number]
        classes = targets.classes[number] if targets.classes else ()
        if not classes:
            yield _Aim(label=f"mean {name}", y=y)
        for index in range(1 if len(classes) == 2 else 0, len(classes)):  # noqa: PLR2004 - of two, one
            of_class = np.where(np.isfinite(y), y == index, np.nan)
            yield _Aim(label=f"share {name} = {classes[index]}", y=of_class)


def _varies(y: NDArray[np.float64]) -> bool:
    known = y[np.isfinite(y)]
    return len(known) > 0 and known.min() < known.max()


def _encode(words: Any, y: NDArray[np.float64]) -> tuple[Mapping[str, float], float]:
    """(word -> encoding, mean of all), from the rows with a label."""
    known = np.isfinite(y)
    y = y[known]
    names, rows = np.unique(np.array(words)[known], return_inverse=True)
    counts = np.bincount(rows)
    means = np.bincount(rows, weights=y) / counts
    within = np.bincount(rows, weights=(y - means[rows]) ** 2) / counts
    overall, variance = float(y.mean()), float(y.var())
    weight = variance * counts
    with np.errstate(invalid="ignore"):
        trust = np.nan_to_num(weight / (weight + within))  # 0 / 0: y does not vary at all
    encoded = trust * means + (1 - trust) * overall
    return dict(zip(names.tolist(), encoded.tolist(), strict=True)), overall
