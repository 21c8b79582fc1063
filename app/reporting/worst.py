"""The test rows that the model got most wrong: where a chemist looks first."""

from typing import Any

import numpy as np

from app.reporting.stored import StoredModel, TargetRows
from app.reporting.wording import percent, said

_SHOWN = 12


def worst_rows(model: StoredModel, most: int = _SHOWN) -> list[dict[str, Any]]:
    """[{row, smiles, target, measured, predicted, interval, outside, similarity, in_domain}], the
    largest error first. Numbers of several targets are compared in standard deviations of each.
    """
    entries = []
    for target in model.targets:
        rows = model.rows(target, "test")
        error = rows.error / _scale(model, rows)
        ranked = [int(i) for i in np.argsort(-error, kind="stable")[:most] if np.isfinite(error[i])]
        entries += [(float(error[i]), _entry(model, target, rows, i)) for i in ranked]
    entries.sort(key=lambda pair: -pair[0])
    return [entry for _, entry in entries[:most]]


def _scale(model: StoredModel, rows: TargetRows) -> float:
    if len(model.targets) == 1 or model.is_classification or not rows.n:
        return 1.0
    return float(rows.measured.std()) or 1.0


def _entry(model: StoredModel, target: str, rows: TargetRows, i: int) -> dict[str, Any]:
    low, high = float(rows.lower[i]), float(rows.upper[i])
    has_interval = bool(np.isfinite(low) and np.isfinite(high))
    similarity, inside = float(rows.similarity[i]), float(rows.in_domain[i])
    return {
        "row": int(rows.row[i]),
        "smiles": rows.smiles[i] if rows.smiles else "",
        "target": target,
        "measured": _value(model, target, float(rows.measured[i])),
        "predicted": _answer(model, target, rows, i),
        "interval": f"{said(low)} to {said(high)}" if has_interval else None,
        "outside": has_interval and not low <= float(rows.measured[i]) <= high,
        "similarity": f"{similarity:.2f}" if np.isfinite(similarity) else None,
        "in_domain": bool(inside) if np.isfinite(inside) else None,
    }


def _value(model: StoredModel, target: str, value: float) -> str:
    words = model.classes(target)
    return words[int(value)] if words else said(value)


def _answer(model: StoredModel, target: str, rows: TargetRows, i: int) -> str:
    answer = _value(model, target, float(rows.predicted[i]))
    if rows.probabilities is None:
        return answer
    share = percent(float(rows.probabilities[i].max())).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{answer} ({share})"
