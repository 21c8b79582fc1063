"""The fits that a comparison is made of: one model of one candidate on one fold each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.comparison.params import CompareParams
from app.splitters.base import Indices, Split

#: tell the random draws of a comparison apart
_PERMUTING, _SHORTENING, _HOLDING_OUT = range(3)
#: rows that an algorithm with early stopping may look at: one in so many of those that train
_HELD_OUT = 10


@dataclass(frozen=True, kw_only=True)
class Fit:
    candidate: int
    repeat: int
    fold: int
    #: number of the permutation of the training labels; None: as they are
    permutation: int | None = None
    #: of the fold's training rows; None: all
    fraction: float | None = None


def fits_of(params: CompareParams, repeats: Sequence[int]) -> list[Fit]:
    """All of them in a fixed order, one candidate after the other; `repeats`: the number of folds
    of each. Labels are permuted in the first repeat only, training rows left out in all.
    """
    found = []
    for candidate in range(len(params.candidates)):
        places = [(r, f) for r, folds in enumerate(repeats) for f in range(folds)]
        found += [Fit(candidate=candidate, repeat=r, fold=f) for r, f in places]
        found += [
            Fit(candidate=candidate, repeat=r, fold=f, fraction=fraction)
            for fraction in sorted(params.learning_curve)
            for r, f in places
        ]
        found += [
            Fit(candidate=candidate, repeat=0, fold=f, permutation=number)
            for number in range(params.y_scrambling)
            for f in range(repeats[0])
        ]
    return found


def most_fits(params: CompareParams) -> int:
    """How many fits that are at most; the splitter may make fewer folds."""
    return len(fits_of(params, [params.folds] * params.repeats))


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Of one fit."""

    train: Indices
    #: for early stopping; none of them trains or is scored
    validation: Indices
    test: Indices
    #: label rows in the place of those of `train` and `validation`: the same rows, permuted or not
    labels: Indices


def rows_of(fit: Fit, fold: Split, seed: int, *, needs_validation: bool) -> Rows:
    """The same for every candidate but for the rows held out; parts of a fold are nested."""
    learning = fold.train
    if fit.fraction is not None:
        count = max(2, round(fit.fraction * len(learning)))
        learning = _drawn(learning, seed, _SHORTENING, fit.repeat, fit.fold)[:count]
    train, validation = np.sort(learning), learning[:0]
    if needs_validation:
        order = _drawn(train, seed, _HOLDING_OUT, fit.repeat, fit.fold)
        count = len(order) // _HELD_OUT
        train, validation = np.sort(order[count:]), np.sort(order[:count])
    labels = np.concatenate([train, validation])
    if fit.permutation is not None:
        labels = _drawn(labels, seed, _PERMUTING, fit.permutation, fit.fold)
    return Rows(train=train, validation=validation, test=fold.test, labels=labels)


def _drawn(rows: Indices, *seeds: int) -> NDArray[np.int64]:
    return np.random.default_rng(seeds).permutation(np.sort(rows))
