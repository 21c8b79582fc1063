"""Predictions as people read them: columns of a file, or JSON of one molecule."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from app.models.bundle import BundleManifest, BundlePredictions, ModelBundle
from app.prediction.answer_cache import shown_input
from app.uncertainty.assessor import Assessment, Assessor

#: nearest training rows in an answer
_SHOWN = 3
#: of more, a file has what was measured of the nearest training row only
_MANY_TARGETS = 12


def answer_columns(bundle: ModelBundle, found: BundlePredictions) -> dict[str, Any]:
    """Columns for n inputs: canonical_smiles (of molecules), status (ok, error), reason, notes
    (where columns were learned from), then for each target its number with bounds and spread, or
    its class with the probability of each class, and its confidence; then in_domain, the rules by
    which it is outside, and of the three nearest training rows (the second and the third end in _2
    and _3) the similarity, which it is (its SMILES, or its row number), and for each target what
    was measured of it (of models of more than 12 targets only for the nearest). Null where there is
    no number, fewer training rows, or no measurement.
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
    return columns | _domain_columns(manifest, assessor, found, n)


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


def _domain_columns(
    manifest: BundleManifest, assessor: Assessor | None, found: BundlePredictions, n: int
) -> dict[str, Any]:
    said = found.assessment
    if said is None or assessor is None:
        return {}
    columns: dict[str, Any] = {
        "in_domain": _chosen(pa.array([False, True]), said.inside, found, n),
        "outside_by": _outside_by(said, found, n),
    }
    for number in range(_SHOWN):
        columns |= _neighbour_columns(manifest, assessor, found, n, number)
    return columns


def _neighbour_columns(
    manifest: BundleManifest, assessor: Assessor, found: BundlePredictions, n: int, number: int
) -> dict[str, Any]:
    """Of the nearest training row (0), the second or the third. Null where there are fewer."""
    said, known = found.assessment, assessor.references
    ending = f"_{number + 1}" if number else ""
    if said is None or number >= said.nearest.places.shape[1]:
        places, similarity = np.zeros(0, dtype=np.int64), np.zeros(0)
        found = replace(found, rows=np.zeros(0, dtype=np.int64))
    else:
        places, similarity = said.nearest.places[:, number], said.nearest.similarity[:, number]
    columns = {
        f"similarity{ending}": _spread(similarity, found.rows, n),
        f"nearest{ending}": _chosen(known.names, places, found, n),
    }
    if number and len(manifest.targets) > _MANY_TARGETS:
        return columns
    for t, target in enumerate(manifest.targets):
        measured = _spread(known.y[places, t], found.rows, n)
        if manifest.classes:
            measured = pa.array(manifest.classes[t], pa.string()).take(measured.cast(pa.int64()))
        columns[f"{target}_nearest{ending}"] = measured
    return columns


def _outside_by(said: Assessment, found: BundlePredictions, n: int) -> Any:
    """The rules that are not kept, or null: `similarity`, `leverage`, `similarity, leverage`."""
    rules = list(said.kept)
    broken = sum((~said.kept[rule]).astype(np.int64) << bit for bit, rule in enumerate(rules))
    words: list[str | None] = [
        ", ".join(rule for bit, rule in enumerate(rules) if code >> bit & 1) or None
        for code in range(1 << len(rules))
    ]
    return _chosen(pa.array(words, pa.string()), broken, found, n)


def _chosen(values: Any, places: Any, found: BundlePredictions, n: int) -> Any:
    """(n,) the values at these places (of `found.rows`), null for the other inputs."""
    index, empty = np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool)
    index[found.rows], empty[found.rows] = places, False
    return values.take(pa.array(index, mask=empty))


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
    near = said.nearest
    pairs = zip(near.places[at, :_SHOWN], near.similarity[at, :_SHOWN], strict=True)
    return {
        "inside": bool(said.inside[at]),
        "outside_by": said.outside_by(at),
        "similarity": float(near.closest[at]),
        "leverage": float(said.leverage[at]),
        "nearest": [_known(bundle, assessor, place, similarity) for place, similarity in pairs],
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
