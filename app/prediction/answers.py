"""Predictions as people read them: columns of a file, or JSON of one molecule."""

from typing import Any

import numpy as np
import pyarrow as pa

from app.models.bundle import BundleManifest, BundlePredictions, ModelBundle
from app.prediction.answer_cache import shown_input
from app.uncertainty.assessor import Assessor

#: nearest training rows in an answer
_SHOWN = 3


def answer_columns(bundle: ModelBundle, found: BundlePredictions) -> dict[str, Any]:
    """Columns for n inputs: canonical_smiles (of molecules), status (ok, error), reason, notes
    (where columns were learned from), then for each target its number with bounds and spread, or
    its class with the probability of each class, and its confidence; then in_domain, similarity to
    the nearest training row, and which that is (its SMILES, or its row number). Null where there is
    no number.
    """
    manifest, assessor = bundle.manifest, bundle.assessor
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
            columns |= _number_columns(target, number, found, n)
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
        if found.assessment is not None:
            confidence = found.assessment.confidence[:, number]
            columns[f"{target}_confidence"] = _spread(confidence, found.rows, n)
    return columns | _domain_columns(assessor, found, n)


def _number_columns(target: str, number: int, found: BundlePredictions, n: int) -> dict[str, Any]:
    said = found.assessment
    parts = {
        target: found.predictions.values,
        f"{target}_lower": None if said is None else said.lower,
        f"{target}_upper": None if said is None else said.upper,
        f"{target}_std": found.predictions.std,
        f"{target}_confidence": None if said is None else said.confidence,
    }
    return {
        name: _spread(values[:, number], found.rows, n)
        for name, values in parts.items()
        if values is not None
    }


def _domain_columns(assessor: Assessor | None, found: BundlePredictions, n: int) -> dict[str, Any]:
    said = found.assessment
    if said is None or assessor is None:
        return {}
    inside: list[bool | None] = [None] * n
    nearest: list[Any] = [None] * n
    known = assessor.references
    for place, row in enumerate(found.rows):
        inside[row] = bool(said.inside[place])
        closest = said.nearest.places[place, 0]
        nearest[row] = known.smiles[closest] if known.smiles else int(known.numbers[closest])
    return {
        "in_domain": pa.array(inside, pa.bool_()),
        "similarity": _spread(said.nearest.closest, found.rows, n),
        "nearest": pa.array(nearest, pa.string() if known.smiles else pa.int64()),
    }


def _spread(values: np.ndarray, rows: np.ndarray, n: int) -> Any:
    """(n,) float64 with null where a row has no number."""
    full = np.full(n, np.nan)
    full[rows] = values
    return pa.array(full, pa.float64(), from_pandas=True)


def answer_items(
    bundle: ModelBundle, inputs: list[dict[str, Any]], found: BundlePredictions
) -> list[dict[str, Any]]:
    """One JSON object per input, in order."""
    place = {int(row): number for number, row in enumerate(found.rows)}
    items = []
    for row, given in enumerate(inputs):
        reason = found.reasons[row]
        items.append(
            {
                "id": given.get("id"),
                "input": shown_input(given),
                "canonical_smiles": found.canonical[row],
                "status": "ok" if reason is None else "error",
                "reason": reason,
                "notes": found.notes[row],
                "targets": _targets(bundle.manifest, found, place[row]) if row in place else {},
                "domain": _domain(bundle, found, place[row]) if row in place else None,
            }
        )
    return items


def _domain(bundle: ModelBundle, found: BundlePredictions, at: int) -> dict[str, Any] | None:
    """Whether the model knows enough about such an input, and what it learned nearest to it."""
    said, assessor = found.assessment, bundle.assessor
    if said is None or assessor is None:
        return None
    pairs = zip(said.nearest.places[at], said.nearest.similarity[at], strict=True)
    return {
        "inside": bool(said.inside[at]),
        "outside_by": said.outside_by(at),
        "similarity": float(said.nearest.closest[at]),
        "leverage": float(said.leverage[at]),
        "nearest": [_known(bundle, assessor, place, near) for place, near in pairs][:_SHOWN],
    }


def _known(
    bundle: ModelBundle, assessor: Assessor, place: int, similarity: float
) -> dict[str, Any]:
    """A training row: what was measured of it, by target."""
    known, manifest = assessor.references, bundle.manifest
    measured: dict[str, Any] = {}
    for number, target in enumerate(manifest.targets):
        y = known.y[place, number]
        if np.isfinite(y):
            measured[target] = manifest.classes[number][int(y)] if manifest.classes else float(y)
    return {
        "row": int(known.numbers[place]),
        "smiles": known.smiles[place] if known.smiles else None,
        "similarity": float(similarity),
        "measured": measured,
    }


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
                "confidence": _confidence(found, at, number),
            }
    return answers


def _number(
    manifest: BundleManifest, found: BundlePredictions, at: int, number: int
) -> dict[str, Any]:
    std, said, interval = found.predictions.std, found.assessment, None
    if said is not None and said.lower is not None and said.upper is not None:
        low, high = float(said.lower[at, number]), float(said.upper[at, number])
        interval = [low, high] if np.isfinite(low) else None
    return {
        "value": float(found.predictions.values[at, number]),
        "unit": manifest.units.get(manifest.targets[number]),
        "interval": interval,
        "level": manifest.calibration["level"] if interval and manifest.calibration else None,
        "std": None if std is None else float(std[at, number]),
        "confidence": _confidence(found, at, number),
    }


def _confidence(found: BundlePredictions, at: int, number: int) -> float | None:
    """0 to 1. Of a number: the share of held-out rows that the model was less sure of; of a class:
    its calibrated probability.
    """
    if found.assessment is None:
        return None
    confidence = float(found.assessment.confidence[at, number])
    return confidence if np.isfinite(confidence) else None
