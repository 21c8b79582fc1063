"""Methods that were scored on the very same folds: which differences are real.

The protocol of Ash et al., "Practically significant method comparison protocols for machine
learning in small molecule drug discovery" (J. Chem. Inf. Model. 2025, 10.1021/acs.jcim.5c01609):
a repeated-measures analysis of variance in which each fold is a block, then Tukey's honestly
significant difference with the error that is left after the blocks. For k methods on n folds:

    MS_error = SS_error / ((k - 1)(n - 1)),  SS_error = sum (x_fm - mean_f - mean_m + mean)^2
    q_ij     = |mean_i - mean_j| / sqrt(MS_error v)
    p_ij     = P(Q(k, (k - 1)(n - 1)) >= q_ij),  Q the studentized range

v is 1/n when folds count as independent, as in the paper. They are not: their training rows are
the same to a large part. Nadeau and Bengio (Machine Learning 2003, 52, 239) replace 1/n by
1/n + n_test/n_train in the paired t test; the same v in Tukey's test is our stricter reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

#: (folds, methods) float64, no missing value
Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Anova:
    """Of methods within folds; F is infinite when nothing but the methods makes a difference."""

    f: float
    df_methods: int
    df_error: int
    p_value: float
    ms_error: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Of two methods' means, in the unit of the score, with its simultaneous interval."""

    #: columns of the scores
    first: int
    second: int
    #: mean of the first less mean of the second
    value: float
    low: float
    high: float
    #: adjusted for the number of pairs
    p_value: float


def repeated_measures_anova(scores: Scores) -> Anova:
    """One-way, fold as block. Needs 2 folds and 2 methods."""
    from scipy.stats import f as f_distribution

    n, k = scores.shape
    grand = scores.mean()
    within = scores.mean(axis=0) - grand
    error = scores - scores.mean(axis=1, keepdims=True) - within
    ms_error = float((error**2).sum() / ((k - 1) * (n - 1)))
    ms_methods = float(n * (within**2).sum() / (k - 1))
    # what rounding leaves of equal numbers is no error to divide by
    noise = (1e-12 * max(1.0, float(np.abs(scores).max()))) ** 2
    if ms_error <= noise:
        ms_error = 0.0
        f = 0.0 if ms_methods <= noise else float("inf")
    else:
        f = ms_methods / ms_error
    df_methods, df_error = k - 1, (k - 1) * (n - 1)
    p_value = float(f_distribution.sf(f, df_methods, df_error))
    return Anova(f=f, df_methods=df_methods, df_error=df_error, p_value=p_value, ms_error=ms_error)


def variance_factor(n: int, test_to_train: float = 0.0) -> float:
    """The v of a mean over n folds; `test_to_train` (rows) other than 0: Nadeau and Bengio's."""
    return 1.0 / n + test_to_train


def honest_difference(anova: Anova, methods: int, factor: float, level: float = 0.95) -> float:
    """What two means must be apart to be called different, in the unit of the score."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(level, methods, anova.df_error))
    return float(q * np.sqrt(anova.ms_error * factor))


def tukey_hsd(scores: Scores, anova: Anova, factor: float, level: float = 0.95) -> list[Difference]:
    """Every pair of methods, in the order of their columns."""
    from scipy.stats import studentized_range

    k = scores.shape[1]
    means, half = scores.mean(axis=0), honest_difference(anova, k, factor, level)
    error = float(np.sqrt(anova.ms_error * factor))
    found = []
    for first, second in combinations(range(k), 2):
        value = float(means[first] - means[second])
        if error == 0.0:
            p_value = 1.0 if np.isclose(value, 0.0, atol=1e-12) else 0.0
        else:
            p_value = float(studentized_range.sf(abs(value) / error, k, anova.df_error))
        found.append(
            Difference(
                first=first,
                second=second,
                value=value,
                low=value - half,
                high=value + half,
                p_value=min(1.0, max(0.0, p_value)),
            )
        )
    return found


def compact_letters(ranked: Sequence[float], honest: float) -> list[str]:
    """Letters of methods whose means stand in order of rank: two that share one are not different.

    With one error for all pairs each group is a run of neighbours (Piepho, J. Comput. Graph. Stat.
    2004, 13, 456, in the balanced case).
    """
    n = len(ranked)
    runs = []
    for start in range(n):
        stop = start
        while stop + 1 < n and abs(ranked[stop + 1] - ranked[start]) <= honest:
            stop += 1
        runs.append((start, stop))
    kept = runs[:1] + [run for before, run in pairwise(runs) if run[1] > before[1]]
    return [
        "".join(
            letter
            for letter, (start, stop) in zip(ascii_lowercase, kept, strict=False)
            if start <= place <= stop
        )
        for place in range(n)
    ]
