"""Plots of a model of numbers: parity, error against confidence."""

import numpy as np

from app.pages.plots import Plot, span
from app.reporting.drawn import Drawn
from app.reporting.stored import TargetRows
from app.reporting.wording import counted


def number_plots(rows: TargetRows, target: str, unit: str) -> list[Drawn]:
    """Of test rows, at least one."""
    found = [parity(rows, target, unit)]
    if np.isfinite(rows.std).any():
        found.append(error_by_spread(rows, unit))
    return found


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


def error_by_spread(rows: TargetRows, unit: str) -> Drawn:
    """|error| against the standard deviation that the model says for the row."""
    known = rows.at(np.isfinite(rows.std))
    axis = f" ({unit})" if unit else ""
    plot = Plot(
        x=(0.0, span(known.std)[1]),
        y=(0.0, span(known.error)[1]),
        x_label=f"uncertainty that the model states, one sd{axis}",
        y_label=f"error{axis}",
        label=f"Error against stated uncertainty for {known.n} test rows",
        height=400,
    )
    ends = np.array([0.0, min(plot.x[1], plot.y[1] / 2)])
    plot.line(ends, 2 * ends, "c")
    plot.points(known.std, known.error, "a")
    return Drawn(
        title="Error and stated uncertainty",
        svg=plot.svg(),
        caption="Where the model says that it is unsure, errors should be larger. Below the line"
        " the error is less than two stated standard deviations.",
    )
