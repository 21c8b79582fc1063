"""Predictions as people read them: columns of a file, or JSON of one molecule."""

from typing import Any

import numpy as np
import pyarrow as pa

from app.models.bundle import BundleManifest, BundlePredictions


def answer_columns(manifest: BundleManifest, found: BundlePredictions) -> dict[str, Any]:
    """Columns for n inputs: canonical_smiles (of molecules), status (ok, error), reason, notes
    (where columns were learned from), then for each target its number with bounds and spread, or
    its class with the probability of each class. Null where there is no number.
    """
    n = len(found.canonical)
    columns: dict[str, Any] = {}
    if manifest.needs_structures:
        columns["canonical_smiles"] = pa.array(found.canonical, pa.string())
    columns |= {
        "status": pa.array(["ok" if why is None else "error" for why in found.reasons]),
        "reason": pa.array(found.reasons, pa.string()),
    }
    if manifest.columns:
        columns["notes"] = pa.array(
            ["; ".join(notes) or None for notes in found.notes], pa.string()
        )
    for number, target in enumerate(manifest.targets):
        if manifest.task == "regression":
            parts = {
                target: found.predictions.values,
                f"{target}_lower": found.lower,
                f"{target}_upper": found.upper,
                f"{target}_std": found.predictions.std,
            }
            for name, values in parts.items():
                if values is not None:
                    columns[name] = _spread(values[:, number], found.rows, n)
            continue
        words, probabilities = manifest.classes[number], found.predictions.probabilities or []
        labels: list[str | None] = [None] * n
        for row, index in zip(found.rows, found.predictions.values[:, number], strict=True):
            labels[row] = words[int(index)]
        columns[target] = pa.array(labels, pa.string())
        for c, word in enumerate(words):
            columns[f"{target}_probability_{word}"] = _spread(
                probabilities[number][:, c], found.rows, n
            )
    return columns


def _spread(values: np.ndarray, rows: np.ndarray, n: int) -> Any:
    """(n,) float64 with null where a row has no number."""
    full = np.full(n, np.nan)
    full[rows] = values
    return pa.array(full, pa.float64(), from_pandas=True)


def answer_items(
    manifest: BundleManifest, inputs: list[dict[str, Any]], found: BundlePredictions
) -> list[dict[str, Any]]:
    """One JSON object per input, in order."""
    place = {int(row): number for number, row in enumerate(found.rows)}
    items = []
    for row, given in enumerate(inputs):
        reason = found.reasons[row]
        items.append(
            {
                "id": given.get("id"),
                "input": given.get("smiles") or given.get("features"),
                "canonical_smiles": found.canonical[row],
                "status": "ok" if reason is None else "error",
                "reason": reason,
                "notes": found.notes[row],
                "targets": _targets(manifest, found, place[row]) if row in place else {},
            }
        )
    return items


def _targets(manifest: BundleManifest, found: BundlePredictions, at: int) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for number, target in enumerate(manifest.targets):
        if manifest.task == "regression":
            answers[target] = _number(manifest, found, at, number)
        else:
            probabilities = (found.predictions.probabilities or [])[number][at]
            words = manifest.classes[number]
            best = int(found.predictions.values[at, number])
            answers[target] = {
                "value": float(probabilities[best]),
                "class": words[best],
                "probabilities": dict(zip(words, probabilities.tolist(), strict=True)),
            }
    return answers


def _number(
    manifest: BundleManifest, found: BundlePredictions, at: int, number: int
) -> dict[str, Any]:
    std, interval = found.predictions.std, None
    if found.lower is not None and found.upper is not None and np.isfinite(found.lower[at, number]):
        interval = [float(found.lower[at, number]), float(found.upper[at, number])]
    return {
        "value": float(found.predictions.values[at, number]),
        "unit": manifest.units.get(manifest.targets[number]),
        "interval": interval,
        "level": manifest.calibration.level if interval and manifest.calibration else None,
        "std": None if std is None else float(std[at, number]),
    }
