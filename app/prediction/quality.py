"""How good an error is: against a tolerance, the unit's usual one, or the reference's spread.

The rule is part of the answer, so that nobody has to believe a word like "good".
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.datasets.conversion import usual_tolerance

Grade = Literal["excellent", "good", "fair", "poor"]
Basis = Literal["tolerance", "unit", "spread", "value"]

_GRADES: tuple[Grade, ...] = ("excellent", "good", "fair")
#: of the error over the scale: excellent up to the first, good up to the second, fair up to the
#: third. Of the spread they are R2 of 0.91, 0.75 and 0.36
_LIMITS: dict[Basis, tuple[float, float, float]] = {
    "tolerance": (0.5, 1.0, 2.0),
    "unit": (0.5, 1.0, 2.0),
    "spread": (0.3, 0.5, 0.8),
    "value": (0.01, 0.05, 0.15),
}
_MIN_SPREAD = 3
_FEW = 10
_RIGHT_ORDER = 0.8
_MOSTLY_SHIFT = 0.5
_ADVICE: dict[Grade, str] = {
    "excellent": "The predictions can stand in for the reference here.",
    "good": "Use the predictions; confirm what turns on a difference near the error.",
    "fair": "Use the predictions to screen; take the values that matter from the reference method.",
    "poor": "Do not rely on the values: simulate or measure, or train with data nearer to these.",
}


@dataclass(frozen=True, kw_only=True)
class Quality:
    #: None where nothing tells what a small error is
    grade: Grade | None
    basis: Basis | None
    #: the error's ratio to `scale`, which is in the property's unit
    ratio: float | None
    scale: float | None
    #: how the grade follows, in words
    rule: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What an error of a property is measured by."""

    basis: Basis
    #: None with basis `value`: each reference value itself
    size: float | None
    name: str


def scale_of(unit: str | None, tolerance: float | None, reference: NDArray[np.float64]) -> Scale:
    """In this order: the tolerance given, that of the unit, the standard deviation of three or more
    reference values, the reference value itself.
    """
    if tolerance is not None:
        return Scale(basis="tolerance", size=tolerance, name="the tolerance given")
    usual = usual_tolerance(unit)
    if usual is not None:
        return Scale(basis="unit", size=usual[0], name=usual[1])
    if len(reference) >= _MIN_SPREAD and np.ptp(reference) > 0:
        spread = float(np.std(reference, ddof=1))
        return Scale(basis="spread", size=spread, name="the reference's standard deviation")
    return Scale(basis="value", size=None, name="the reference value")


def quality_of(error: float, scale: Scale, reference: float, unit: str | None) -> Quality:
    """`error`: absolute, or an RMSE; `reference`: its size, for the basis `value`."""
    size = scale.size if scale.size is not None else abs(reference)
    limits = _LIMITS[scale.basis]
    shown = f"{size:.4g}{f' {unit}' if unit else ''} ({scale.name})"
    if size == 0 and error > 0:
        rule = "not judged: the reference is 0 and no tolerance was given"
        return Quality(grade=None, basis=None, ratio=None, scale=None, rule=rule)
    ratio = error / size if size else 0.0
    grade: Grade = next(
        (grade for grade, limit in zip(_GRADES, limits, strict=True) if ratio <= limit), "poor"
    )
    rule = (
        f"the error is {ratio:.3g} times {shown}: excellent up to {limits[0]:g},"
        f" good up to {limits[1]:g}, fair up to {limits[2]:g}, poor above"
    )
    return Quality(grade=grade, basis=scale.basis, ratio=ratio, scale=size, rule=rule)


def advice(quality: Quality) -> str:
    """What to do with one value."""
    if quality.grade is None:
        return "Give a tolerance, so that the error can be judged."
    return _ADVICE[quality.grade]


def advice_on_many(
    quality: Quality, *, n: int, rmse: float, bias: float, spearman: float | None, unit: str | None
) -> str:
    said = [advice(quality)]
    if quality.grade in ("fair", "poor") and spearman is not None and spearman >= _RIGHT_ORDER:
        said.append(f"Their order is right (Spearman {spearman:.2f}), so ranking by them is safe.")
    if n >= _MIN_SPREAD and rmse > 0 and (bias / rmse) ** 2 >= _MOSTLY_SHIFT:
        shift = f"{bias:+.3g}{f' {unit}' if unit else ''}"
        said.append(
            f"Most of the error is one shift of {shift}: look for another unit, reference state or"
            " convention, or correct for it."
        )
    if n < _FEW:
        said.append(f"From {n} value{'s' if n != 1 else ''} this is an impression, not a verdict.")
    return " ".join(said)
