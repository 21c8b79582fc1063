"""Pictures of a model's test rows: parity for numbers, ROC for classes. SVG, no display needed."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, Predictions
from app.uncertainty.assessor import Assessment

Values = NDArray[np.float64]
#: panels of a multi-target picture
_MAX_PANELS = 12
_BLUE, _GREY = "#2563a8", "#8a8f98"


def plot_test_rows(
    task: LearningTask,
    y: Values,
    predictions: Predictions,
    metrics: dict[str, Any],
    assessment: Assessment | None,
) -> tuple[str, bytes]:
    """(file name, SVG): one panel per target, at most 12."""
    targets = [
        (number, target)
        for number, target in enumerate(task.targets)
        if np.isfinite(y[:, number]).any()
    ][:_MAX_PANELS]

    def draw(axes: Any, number: int, target: str) -> None:
        known = np.isfinite(y[:, number])
        figures = metrics["test"][target]
        if task.is_classification and predictions.probabilities is not None:
            _roc(axes, y[known, number], predictions.probabilities[number][known], figures)
        else:
            half = _half_widths(assessment, number, known)
            _parity(axes, y[known, number], predictions.values[known, number], figures, half)
        axes.set_title(f"{target[:48]}\n{axes.get_title()}", fontsize=9)

    name = "roc.svg" if task.is_classification else "parity.svg"
    return name, _panels(targets, draw)


def _panels(targets: list[tuple[int, str]], draw: Callable[[Any, int, str], None]) -> bytes:
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "retort"  # the same picture gives the same bytes
    from matplotlib import pyplot as plt

    columns = min(len(targets), 4)
    rows = -(-len(targets) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(4.2 * columns, 4.0 * rows), squeeze=False, layout="constrained"
    )
    for axes, (number, target) in zip(grid.flat, targets, strict=False):
        draw(axes, number, target)
    for axes in list(grid.flat)[len(targets) :]:
        axes.set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    return buffer.getvalue()


def _half_widths(
    assessment: Assessment | None, number: int, known: NDArray[np.bool_]
) -> Values | None:
    if assessment is None or assessment.lower is None or assessment.upper is None:
        return None
    half = (assessment.upper - assessment.lower)[known, number] / 2
    return half if np.isfinite(half).all() else None


def _parity(
    axes: Any, y: Values, predicted: Values, figures: dict[str, Any], half: Values | None
) -> None:
    low, high = float(min(y.min(), predicted.min())), float(max(y.max(), predicted.max()))
    margin = 0.05 * (high - low or 1.0)
    line = np.array([low - margin, high + margin])
    if half is not None:
        axes.errorbar(
            y,
            predicted,
            yerr=half,
            fmt="none",
            ecolor=_GREY,
            alpha=0.3,
            lw=0.8,
            label="90 % interval",
        )
    axes.plot(line, line, color=_GREY, lw=1)
    axes.scatter(y, predicted, s=12, color=_BLUE, alpha=0.65, lw=0)
    axes.set(xlim=line, ylim=line, xlabel="measured", ylabel="predicted", aspect="equal")
    axes.set_title(f"RMSE {_said(figures['rmse'])}   R² {_said(figures['r2'])}   n = {len(y)}")
    if half is not None:
        axes.legend(loc="upper left", fontsize=8, frameon=False)


def _roc(axes: Any, y: Values, probabilities: Values, figures: dict[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, lw=1)
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])  # noqa: PLR2004
    for number in classes:
        order = np.argsort(-probabilities[:, number], kind="stable")
        positive = y[order] == number
        if positive.any() and not positive.all():
            true = np.append(0, np.cumsum(positive) / positive.sum())
            false = np.append(0, np.cumsum(~positive) / (~positive).sum())
            axes.step(false, true, color=_BLUE, alpha=0.8, lw=1.5, where="post")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="false positive rate", ylabel="true positive rate")
    axes.set_aspect("equal")
    axes.set_title(f"AUROC {_said(figures['roc_auc'])}   n = {len(y)}")


def _said(figure: dict[str, Any]) -> str:
    return "not defined" if figure["value"] is None else f"{figure['value']:.3f}"
