"""Plots of a model of numbers: parity, error against confidence."""

import numpy as np

from app.pages.plots import Plot, span
from app.reporting.drawn import Drawn
from app.reporting.stored import TargetRows
from app.reporting.wording import counted

#: widths that differ by less are one
_SAME = 1e-6


def number_plots(rows: TargetRows, target: str, unit: str) -> list[Drawn]:
    """Of test rows, at least one."""
    return [parity(rows, target, unit), *error_by_width(rows, unit)]


def parity(rows: TargetRows, target: str, unit: str) -> Drawn:
    ends = span(rows.measured, rows.predicted)
    axis = f" ({unit})" if unit else ""
    plot = Plot(
        x=ends,
        y=ends,
        x_label=f"measured{axis}",
        y_label=f"predicted{axis}",
        label=f"Predicted against measured {target} for {rows.n} test rows",
        height=400,
    )
    line = np.array(ends)
    plot.whiskers(rows.measured, rows.lower, rows.upper, "c")
    plot.line(line, line, "c")
    outside = rows.in_domain == 0
    plot.points(rows.measured[~outside], rows.predicted[~outside], "a")
    plot.points(rows.measured[outside], rows.predicted[outside], "b")
    about = "Each dot is a test row; on the line it would be predicted exactly."
    if np.isfinite(rows.lower).any():
        about += " Vertical lines are the intervals."
    if outside.any():
        about += f" {counted(int(outside.sum()), 'row')} outside the domain: orange."
    return Drawn(title="Measured and predicted", svg=plot.svg(), caption=about)


def error_by_width(rows: TargetRows, unit: str) -> list[Drawn]:
    """|error| against half the interval; empty where all intervals have one width."""
    half = (rows.upper - rows.lower) / 2
    known = np.isfinite(half)
    if not known.any() or np.ptp(half[known]) <= _SAME * half[known].max():
        return []
    width, error = half[known], rows.error[known]
    axis = f" ({unit})" if unit else ""
    plot = Plot(
        x=(0.0, span(width)[1]),
        y=(0.0, span(error)[1]),
        x_label=f"half of the interval{axis}",
        y_label=f"error{axis}",
        label=f"Error against half of the interval for {len(width)} test rows",
        height=400,
    )
    ends = np.array([0.0, min(plot.x[1], plot.y[1])])
    plot.line(ends, ends, "c")
    inside = error <= width
    plot.points(width[inside], error[inside], "a")
    plot.points(width[~inside], error[~inside], "b")
    above = counted(int((~inside).sum()), "row")
    caption = (
        "Where the model is unsure its interval is wide, and errors may be large. Below the line"
        f" the measured value is in the interval; {above} above: orange."
    )
    return [Drawn(title="Error and width of the interval", svg=plot.svg(), caption=caption)]
