"""Plots of a model of classes: ROC, precision and recall, reliability."""

import numpy as np
from numpy.typing import NDArray

from app.metrics.base import metrics
from app.pages.plots import Plot
from app.reporting.curves import precision_recall, reliability, roc
from app.reporting.drawn import Drawn
from app.reporting.stored import TargetRows
from app.reporting.wording import listed, percent, said

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
#: (class, is it, its probability)
_Curve = tuple[str, Flags, Values]

_UNIT = (0.0, 1.0)
#: classes with a curve each
_MAX_CLASSES = 6
_STYLES = ("a", "b", "d", "e", "f", "g")


def class_plots(rows: TargetRows, words: list[str]) -> list[Drawn]:
    """Of test rows; empty without probabilities, or when no class has rows on both sides."""
    curves = _curves(rows, words)
    if not curves:
        return []
    return [_roc(curves), _precision_recall(curves), _reliability(rows, words)]


def _curves(rows: TargetRows, words: list[str]) -> list[_Curve]:
    """Of two classes the second; else each against the rest."""
    if rows.probabilities is None:
        return []
    asked = [1] if len(words) == 2 else range(len(words))  # noqa: PLR2004 - two classes
    found = [(words[c], rows.measured == c, rows.probabilities[:, c]) for c in asked]
    return [c for c in found if c[1].any() and not c[1].all()][:_MAX_CLASSES]


def _roc(curves: list[_Curve]) -> Drawn:
    plot = Plot(
        x=_UNIT,
        y=_UNIT,
        x_label="false positive rate",
        y_label="true positive rate",
        label=f"ROC curve of {listed([c[0] for c in curves])}",
        height=360,
    )
    plot.line(np.array(_UNIT), np.array(_UNIT), "c")
    for (_, positive, score), style in zip(curves, _STYLES, strict=False):
        across, up = _stairs(*roc(positive, score))
        plot.line(across, up, style)
    caption = "Of how many negatives are taken along for a share of the positives; the diagonal is"
    return Drawn(title="ROC", svg=plot.svg(), caption=f"{caption} guessing.{_legend(curves)}")


def _stairs(x: Values, y: Values) -> tuple[Values, Values]:
    """Points of a step curve, corners included, straight runs without their inner points."""
    keep = np.ones(len(x), dtype=bool)
    keep[1:-1] = (np.diff(x, 2) != 0) | (np.diff(y, 2) != 0)
    return x[keep], y[keep]


def _precision_recall(curves: list[_Curve]) -> Drawn:
    plot = Plot(
        x=_UNIT,
        y=_UNIT,
        x_label="recall",
        y_label="precision",
        label=f"Precision and recall of {listed([c[0] for c in curves])}",
        height=360,
    )
    for (_, positive, score), style in zip(curves, _STYLES, strict=False):
        plot.line(np.array(_UNIT), np.full(2, positive.mean()), "c")
        recall, precision = precision_recall(positive, score)
        plot.line(recall, precision, style)
    shares = listed([f'"{word}" {percent(float(flags.mean()))}' for word, flags, _ in curves])
    caption = f"How many of those found are right. The flat line is guessing: {shares}."
    return Drawn(title="Precision and recall", svg=plot.svg(), caption=caption + _legend(curves))


def _reliability(rows: TargetRows, words: list[str]) -> Drawn:
    """Of the second of two classes, else of the class that was answered."""
    probabilities = rows.probabilities
    assert probabilities is not None  # noqa: S101 - class_plots has looked
    if len(words) == 2:  # noqa: PLR2004 - two classes
        what, positive, probability = f'"{words[1]}"', rows.measured == 1, probabilities[:, 1]
    else:
        answered = probabilities.argmax(axis=1)
        what, positive = "the answered class", rows.measured == answered
        probability = probabilities.max(axis=1)
    found = reliability(positive, probability)
    plot = Plot(
        x=_UNIT,
        y=_UNIT,
        x_label=f"probability said of {what}",
        y_label="share found",
        label=f"Reliability of the probabilities of {what}",
        height=360,
    )
    edges = np.linspace(0, 1, 16)
    heights, _ = np.histogram(probability, bins=edges)
    plot.bars(edges[:-1], edges[1:], 0.25 * heights / heights.max(), "h")
    plot.line(np.array(_UNIT), np.array(_UNIT), "c")
    plot.whiskers(found.said, found.low, found.high, "a")
    plot.line(found.said, found.found, "a")
    plot.points(found.said, found.found, "a")
    caption = (
        f"Of rows where the model says 70 %, 70 % should be {what}: on the diagonal it is right."
        f" Expected calibration error {said(_calibration_error(rows))}. Bars at the foot: how often"
        " each probability is said; vertical lines: 95 % intervals."
    )
    return Drawn(title="Calibration", svg=plot.svg(), caption=caption)


def _calibration_error(rows: TargetRows) -> float:
    metric = metrics.get("expected_calibration_error")()
    return float(metric.compute(rows.measured, rows.predicted, rows.probabilities))


def _legend(curves: list[_Curve]) -> str:
    if len(curves) == 1:
        return ""
    names = ("blue", "orange", "green", "violet", "red", "brown")
    return (
        " "
        + ", ".join(f"{word}: {name}" for (word, _, _), name in zip(curves, names, strict=False))
        + "."
    )
