"""Whether the model knows when it does not know: error by confidence, coverage of intervals."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.pages.plots import Plot
from app.reporting.curves import by_rank, coverage, wilson
from app.reporting.drawn import Drawn
from app.reporting.stored import StoredModel, TargetRows
from app.reporting.wording import percent, said

Values = NDArray[np.float64]

_FIFTHS = 5
_NAMES = ("surest fifth", "2nd", "3rd", "4th", "least sure")


def confidence_plots(rows: TargetRows, unit: str) -> list[Drawn]:
    """Test rows; empty when there is no confidence, or fewer than 25 rows."""
    if rows.n < _FIFTHS**2 or not np.isfinite(rows.confidence).any():
        return []
    means, _, _ = by_rank(-rows.confidence, _wrong(rows), _FIFTHS)
    of_numbers = rows.probabilities is None
    heights = np.sqrt(means) if of_numbers else means
    bars = _bars(
        heights,
        list(_NAMES),
        y_label=f"RMSE{f' ({unit})' if unit else ''}" if of_numbers else "share answered wrong",
        label="Error of five groups of test rows, from the surest to the least sure",
    )
    caption = "Test rows in five groups of equal size by confidence. The bars should rise."
    return [Drawn(title="Error by confidence", svg=bars.svg(), caption=caption)]


def similarity_plots(rows: TargetRows, unit: str) -> list[Drawn]:
    """How far the test rows are from the training molecules, and what that does to the error."""
    known = rows.at(np.isfinite(rows.similarity))
    if not known.n:
        return []
    edges = np.linspace(0, 1, 21)
    counts, _ = np.histogram(np.clip(known.similarity, 0, 1), bins=edges)
    plot = Plot(
        x=(0.0, 1.0),
        y=(0.0, 1.05 * float(counts.max())),
        x_label="similarity to the nearest training row",
        y_label="test rows",
        label="Histogram of the similarity of test rows to the nearest training row",
        height=280,
    )
    plot.bars(edges[:-1], edges[1:], counts.astype(np.float64))
    kind = "Tanimoto similarity of Morgan fingerprints. " if rows.smiles else ""
    caption = f"{kind}Far right, the test asks what was taught."
    found = [Drawn(title="How near the test rows are", svg=plot.svg(), caption=caption)]
    return found + _error_by_similarity(known, unit)


def _error_by_similarity(rows: TargetRows, unit: str) -> list[Drawn]:
    if rows.n < _FIFTHS**2:
        return []
    means, low, high = by_rank(rows.similarity, _wrong(rows), _FIFTHS)
    of_numbers = rows.probabilities is None
    plot = _bars(
        np.sqrt(means) if of_numbers else means,
        [f"{a:.2f}-{b:.2f}" for a, b in zip(low, high, strict=True)],
        y_label=f"RMSE{f' ({unit})' if unit else ''}" if of_numbers else "share answered wrong",
        label="Error of five groups of test rows by their similarity to training rows",
    )
    caption = "Five groups of equal size, from the most foreign test rows to the most familiar."
    return [Drawn(title="Error by similarity", svg=plot.svg(), caption=caption)]


def _wrong(rows: TargetRows) -> Values:
    """(n,) squared error, or 1 where the wrong class is answered."""
    if rows.probabilities is None:
        return np.asarray(rows.error**2)
    return np.asarray(rows.predicted != rows.measured, dtype=np.float64)


def _bars(heights: Values, names: list[str], *, y_label: str, label: str) -> Plot:
    places = np.arange(len(heights), dtype=np.float64)
    top = float(heights.max()) if len(heights) else 0.0
    plot = Plot(
        x=(-0.5, len(heights) - 0.5),
        y=(0.0, 1.15 * top or 1.0),
        x_label="",
        y_label=y_label,
        label=label,
        height=280,
        x_names=list(zip(places.tolist(), names, strict=True)),
    )
    plot.bars(places - 0.35, places + 0.35, heights)
    for place, height in zip(places, heights, strict=True):
        plot.text(float(place), float(height), said(float(height)))
    return plot


def coverage_table(model: StoredModel, target: str) -> list[dict[str, Any]]:
    """[{what, n, share, low, high}]: shares of rows whose measured value is in the interval."""
    test = model.rows(target, "test")
    groups = [("test rows", test)]
    for name, flag in (("inside the domain", 1.0), ("outside the domain", 0.0)):
        mask = test.in_domain == flag
        if mask.any():
            groups.append((f"test rows {name}", test.at(mask)))
    held = f"{model.held_part.replace('_', '-')} rows (the intervals were calibrated on these)"
    groups.append((held, model.rows(target, "out_of_fold")))
    found = []
    for name, rows in groups:
        share, n = coverage(rows.measured, rows.lower, rows.upper)
        if n:
            low, high = wilson(np.array([share]), np.array([n]))
            figures = {"share": share, "low": float(low[0]), "high": float(high[0])}
            found.append({"what": name, "n": n, **figures})
    return found


def confident_half(model: StoredModel, target: str) -> str | None:
    """A sentence about the surer half of the test rows."""
    half = model.section("uncertainty", target).get("confident_half") or {}
    error, other, ratio = (half.get(name) for name in ("error", "other_error", "ratio"))
    if error is None or other is None or ratio is None:
        return None
    unit = f" {model.unit(target)}" if model.unit(target) else ""
    what = "share of wrong answers" if model.is_classification else "mean absolute error"
    return (
        f"The half of the test rows that the model is surer of has a {what} of {said(error)}{unit},"
        f" {percent(ratio)} of that of the other half ({said(other)}{unit})."
    )


def nominal_level(model: StoredModel, target: str) -> float:
    """What the intervals promise."""
    stored = model.section("uncertainty", target).get("level")
    calibration = model.manifest.get("calibration") or {}
    return float(stored or calibration.get("level") or 0.9)
