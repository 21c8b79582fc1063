"""Tests on scores of folds that share training rows, and against permuted labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MeanDifference:
    """A mean of paired differences and how sure it is."""

    value: float
    standard_error: float
    #: that the true mean is 0 or below
    p_value: float


def corrected_t(differences: Values, test_to_train: float) -> MeanDifference:
    """One-sided paired t test of mean > 0 over n folds (n,), with the variance of Nadeau and
    Bengio (Machine Learning 2003, 52, 239): s^2 (1/n + n_test/n_train), n - 1 degrees of freedom.
    """
    from scipy.stats import t as t_distribution

    n, mean = len(differences), float(differences.mean())
    if n == 1:
        return MeanDifference(value=mean, standard_error=float("nan"), p_value=float("nan"))
    error = float(np.sqrt(differences.var(ddof=1) * (1 / n + test_to_train)))
    if error <= 1e-12 * max(1.0, float(np.abs(differences).max())):
        p_value = 0.0 if mean > error else 1.0
        return MeanDifference(value=mean, standard_error=0.0, p_value=p_value)
    p_value = float(t_distribution.sf(mean / error, n - 1))
    return MeanDifference(value=mean, standard_error=error, p_value=p_value)


def permutation_p(real: float, permuted: Sequence[float]) -> float:
    """(1 + number of permutations at least as good) / (1 + number of permutations); higher is
    better (Rücker, Rücker and Meringer, J. Chem. Inf. Model. 2007, 47, 2345; Phipson and Smyth
    2010: never 0).
    """
    return (1 + sum(value >= real for value in permuted)) / (1 + len(permuted))
