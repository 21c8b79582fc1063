"""What the fold scores of all candidates say in one metric: means, differences, groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.comparison.resampling import corrected_t
from app.comparison.tukey import (
    Anova,
    Difference,
    compact_letters,
    honest_difference,
    repeated_measures_anova,
    tukey_hsd,
    variance_factor,
)

Values = NDArray[np.float64]
#: differences are called real below
ALPHA = 0.05
_MIN_FOLDS = 2


@dataclass(frozen=True, kw_only=True)
class MetricScores:
    """One metric on all folds of all repeats, each a mean over targets, errors of several targets
    relative to the baseline; NaN where not defined.
    """

    metric: str
    direction: Literal["minimize", "maximize"]
    names: Sequence[str]
    #: (folds, candidates)
    scores: Values
    #: (folds,) of what knows only the mean or the majority
    baseline: Values
    #: test rows for each training row
    test_to_train: float

    @property
    def sign(self) -> int:
        """Times a score: higher is better."""
        return 1 if self.direction == "maximize" else -1


def summarize(given: MetricScores) -> dict[str, Any]:
    """Folds where the metric is defined for no candidate are left out for all; a candidate without
    a score on one of the others is left out itself (`left_out`).
    """
    folds = np.isfinite(given.scores).any(axis=1)
    whole = np.isfinite(given.scores[folds]).all(axis=0) & bool(folds.any())
    kept = np.flatnonzero(whole).tolist()
    scores = given.scores[folds][:, kept]
    means = scores.mean(axis=0) if kept else np.empty(0)
    ranking = sorted(range(len(kept)), key=lambda place: (-given.sign * means[place], place))
    ranked = [kept[place] for place in ranking]
    names = [given.names[place] for place in ranked]
    scores = scores[:, ranking]
    found: dict[str, Any] = {
        "direction": given.direction,
        "n_folds": int(folds.sum()),
        "left_out": [name for place, name in enumerate(given.names) if place not in kept],
        "baseline": _baseline(given.baseline[folds]),
        "candidates": [
            _candidate(given, name, scores[:, place], given.baseline[folds])
            for place, name in enumerate(names)
        ],
        "anova": None,
        "honest_difference": None,
        "pairs": [],
    }
    if len(names) > 1 and len(scores) >= _MIN_FOLDS:
        _add_differences(found, given, names, scores)
    return found


def _baseline(scores: Values) -> dict[str, Any]:
    known = scores[np.isfinite(scores)]
    return {
        "mean": float(known.mean()) if len(known) else None,
        "scores": [float(value) if np.isfinite(value) else None for value in scores],
    }


def _candidate(given: MetricScores, name: str, scores: Values, baseline: Values) -> dict[str, Any]:
    """`p_above_baseline`: one-sided, corrected for dependent folds; None where there is none."""
    known = np.isfinite(baseline)
    p_value = None
    if known.sum() >= _MIN_FOLDS:
        gain = given.sign * (scores[known] - baseline[known])
        p_value = corrected_t(gain, given.test_to_train).p_value
    return {
        "name": name,
        "mean": float(scores.mean()),
        "std": float(scores.std(ddof=1)) if len(scores) > 1 else None,
        "low": None,
        "high": None,
        "group": "a",
        "p_above_baseline": p_value,
        "scores": scores.tolist(),
    }


def _add_differences(
    found: dict[str, Any], given: MetricScores, names: Sequence[str], scores: Values
) -> None:
    """`low` and `high` of a candidate: intervals of two that do not overlap mean that the two are
    different (Hochberg and Tamhane 1987), so that a picture of them can be read.
    """
    n, k = scores.shape
    anova = repeated_measures_anova(scores)
    plain = variance_factor(n)
    strict = variance_factor(n, given.test_to_train)
    honest = honest_difference(anova, k, plain)
    letters = compact_letters([one["mean"] for one in found["candidates"]], honest)
    for one, group in zip(found["candidates"], letters, strict=True):
        one |= {
            "low": one["mean"] - honest / 2,
            "high": one["mean"] + honest / 2,
            "group": group,
        }
    pairs = zip(tukey_hsd(scores, anova, plain), tukey_hsd(scores, anova, strict), strict=True)
    found["anova"] = _anova(anova)
    found["honest_difference"] = {
        "folds_independent": honest,
        "folds_dependent": honest_difference(anova, k, strict),
    }
    found["pairs"] = [_pair(names, pair, corrected) for pair, corrected in pairs]


def _pair(names: Sequence[str], pair: Difference, corrected: Difference) -> dict[str, Any]:
    """The first is the better one by its mean."""
    return {
        "better": names[pair.first],
        "worse": names[pair.second],
        "difference": pair.value,
        "low": pair.low,
        "high": pair.high,
        "p_value": pair.p_value,
        "different": pair.p_value < ALPHA,
        "folds_dependent": {
            "low": corrected.low,
            "high": corrected.high,
            "p_value": corrected.p_value,
            "different": corrected.p_value < ALPHA,
        },
    }


def _anova(anova: Anova) -> dict[str, Any]:
    return {
        "f": anova.f if np.isfinite(anova.f) else None,
        "df_methods": anova.df_methods,
        "df_error": anova.df_error,
        "p_value": anova.p_value,
        "ms_error": anova.ms_error,
    }
