"""Predicted values against reference values, measured or simulated: pure functions.

    compare_ml_vs_simulation({"band_gap": 1.2}, {"band_gap": 1.1}).comparisons["band_gap"].error

Each property stands by itself, in its own unit: nothing is averaged over properties, and a value
of zero is a value. What is missing on a side is named and left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.datasets.conversion import convert
from app.metrics.r2 import R2
from app.metrics.spearman import Spearman
from app.prediction.quality import Quality, Scale, advice, advice_on_many, quality_of, scale_of

__all__ = [
    "BatchComparison",
    "Comparison",
    "PropertySummary",
    "Quality",
    "ValueComparison",
    "compare_batch",
    "compare_ml_vs_simulation",
    "summarize",
]

#: {property: number}; None and NaN are missing
Properties = Mapping[str, float | None]
Side = Literal["predicted", "reference", "both"]
Values = NDArray[np.float64]

_MIN_CORRELATED = 3
#: squares of errors stay finite
_LARGEST = 1e100


@dataclass(frozen=True, kw_only=True)
class ValueComparison:
    """Of one property of one thing; everything but percent_error and quality in `unit`."""

    predicted: float
    reference: float
    unit: str | None
    #: predicted - reference
    error: float
    absolute_error: float
    #: of the reference's size; None where that is 0
    percent_error: float | None
    quality: Quality
    recommendation: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of one thing (molecule, crystal, sample)."""

    comparisons: dict[str, ValueComparison]
    #: properties that cannot be compared: the side on which there is no value
    missing: dict[str, Side]


@dataclass(frozen=True, kw_only=True)
class PropertySummary:
    """Of one property over many things; figures are None where they are not defined."""

    unit: str | None
    n: int
    mae: float | None
    rmse: float | None
    #: mean of predicted - reference
    bias: float | None
    max_absolute_error: float | None
    #: mean size of the percent error over the `n_percent` values whose reference is not 0
    mean_percent_error: float | None
    n_percent: int
    #: from 3 values on, where the reference is not constant
    r2: float | None
    spearman: float | None
    quality: Quality
    recommendation: str
    #: things without a value, by side
    missing: dict[Side, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BatchComparison:
    properties: dict[str, PropertySummary]
    #: in the order given
    items: list[Comparison]


def compare_ml_vs_simulation(
    predicted: Properties,
    sim: Properties,
    *,
    units: Mapping[str, str] | None = None,
    sim_units: Mapping[str, str] | None = None,
    tolerances: Mapping[str, float] | None = None,
) -> Comparison:
    """One thing: {property: number} of both sides.

    `units`: of the predictions, the answer and `tolerances`; `sim_units`: of the reference where
    they are others. Raises InvalidInput for values beyond 1e100, and for units of different
    quantities.
    """
    batch = compare_batch(
        [(predicted, sim)], units=units, reference_units=sim_units, tolerances=tolerances
    )
    return batch.items[0]


def compare_batch(
    pairs: Sequence[tuple[Properties, Properties]],
    *,
    units: Mapping[str, str] | None = None,
    reference_units: Mapping[str, str] | None = None,
    tolerances: Mapping[str, float] | None = None,
) -> BatchComparison:
    """Many things: (predicted, reference) each; errors of a property are graded alike over all."""
    names = list(dict.fromkeys(name for pair in pairs for side in pair for name in side))
    items = [Comparison(comparisons={}, missing={}) for _ in pairs]
    summaries: dict[str, PropertySummary] = {}
    for name in names:
        unit = (units or {}).get(name)
        of_reference = (reference_units or {}).get(name)
        predicted = _column(name, [pair[0].get(name) for pair in pairs])
        reference = _column(name, [pair[1].get(name) for pair in pairs])
        reference = convert(reference, of_reference, unit, name)
        unit, tolerance = unit or of_reference, (tolerances or {}).get(name)
        summaries[name] = summarize(predicted, reference, unit=unit, tolerance=tolerance)
        known = np.isfinite(predicted) & np.isfinite(reference)
        scale = scale_of(unit, tolerance, reference[known])
        for place, item in enumerate(items):
            if known[place]:
                value = _value(float(predicted[place]), float(reference[place]), unit, scale)
                item.comparisons[name] = value
            else:
                item.missing[name] = _side(predicted[place], reference[place])
    return BatchComparison(properties=summaries, items=items)


def summarize(
    predicted: Values, reference: Values, *, unit: str | None, tolerance: float | None
) -> PropertySummary:
    """Both (n,), NaN where missing, in one unit."""
    known = np.isfinite(predicted) & np.isfinite(reference)
    p, r = predicted[known], reference[known]
    missing = _missing(predicted[~known], reference[~known])
    if not len(p):
        return _nothing(unit, missing)
    scale = scale_of(unit, tolerance, r)
    error = p - r
    rmse, bias = float(np.sqrt(np.mean(error**2))), float(error.mean())
    correlated = len(p) >= _MIN_CORRELATED
    spearman = _finite(Spearman().compute(r, p, None)) if correlated else None
    quality = quality_of(rmse, scale, float(np.mean(np.abs(r))), unit)
    above = r != 0
    return PropertySummary(
        unit=unit,
        n=len(p),
        mae=float(np.abs(error).mean()),
        rmse=rmse,
        bias=bias,
        max_absolute_error=float(np.abs(error).max()),
        mean_percent_error=_mean_percent(error[above], r[above]),
        n_percent=int(above.sum()),
        r2=_finite(R2().compute(r, p, None)) if correlated else None,
        spearman=spearman,
        quality=quality,
        recommendation=advice_on_many(
            quality, n=len(p), rmse=rmse, bias=bias, spearman=spearman, unit=unit
        ),
        missing=missing,
    )


def _nothing(unit: str | None, missing: dict[Side, int]) -> PropertySummary:
    rule = "no value on both sides"
    return PropertySummary(
        unit=unit,
        n=0,
        mae=None,
        rmse=None,
        bias=None,
        max_absolute_error=None,
        mean_percent_error=None,
        n_percent=0,
        r2=None,
        spearman=None,
        quality=Quality(grade=None, basis=None, ratio=None, scale=None, rule=rule),
        recommendation="Give both values of at least one thing.",
        missing=missing,
    )


def _missing(predicted: Values, reference: Values) -> dict[Side, int]:
    counts: dict[Side, int] = {}
    for pair in zip(predicted, reference, strict=True):
        side = _side(*pair)
        counts[side] = counts.get(side, 0) + 1
    return counts


def _value(predicted: float, reference: float, unit: str | None, scale: Scale) -> ValueComparison:
    error = predicted - reference
    quality = quality_of(abs(error), scale, reference, unit)
    return ValueComparison(
        predicted=predicted,
        reference=reference,
        unit=unit,
        error=error,
        absolute_error=abs(error),
        percent_error=_finite(100 * error / abs(reference)) if reference != 0 else None,
        quality=quality,
        recommendation=advice(quality),
    )


def _column(name: str, values: Sequence[float | None]) -> Values:
    column = np.array([np.nan if value is None else float(value) for value in values])
    if (np.abs(column) > _LARGEST).any():
        raise InvalidInput(
            f"{name} has a value beyond {_LARGEST:g}, which cannot be compared",
            remedy="Leave the value out, or choose a larger unit.",
        )
    return column


def _side(predicted: float, reference: float) -> Side:
    if math.isnan(predicted):
        return "both" if math.isnan(reference) else "predicted"
    return "reference"


def _mean_percent(error: Values, reference: Values) -> float | None:
    if not len(error):
        return None
    with np.errstate(over="ignore"):
        return _finite(float(np.mean(100 * np.abs(error / reference))))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
