"""Where each row of the file went, on its way to a model."""

from typing import Any

import numpy as np

from app.splitters.base import Indices
from app.training.material import Material

#: reasons told by name
_REASONS = 20
OTHER = "other reasons"


def row_accounting(material: Material, used: dict[str, Indices]) -> dict[str, Any]:
    """{"read", "refused", "reasons": {reason: rows}, "merged", "clean", "without_target",
    "without_features", "on_no_side", "used": {part: rows}}. Read = refused + merged + clean, and
    clean = without_target + without_features + on_no_side + all used: to the row. `used`: rows of
    each part that have features.

    A row is without target when none of the model's targets is known of it; on no side when the
    split has left it out. Read, refused and merged are null where the data set does not say.
    """
    counts, y = material.dataset.counts, material.labels.y
    split = material.split.split
    sides = np.concatenate([split.train, split.validation, split.test])
    labelled = int(np.isfinite(y).any(axis=1).sum())
    used_rows = {part: len(rows) for part, rows in used.items()}
    refused = counts.get("rows_rejected")
    return {
        "read": counts.get("rows_in"),
        "refused": refused,
        "reasons": _reasons(material.dataset.refused, refused or 0),
        "merged": counts.get("rows_merged"),
        "clean": len(y),
        "without_target": len(y) - labelled,
        "without_features": len(sides) - sum(used_rows.values()),
        "on_no_side": labelled - len(sides),
        "used": used_rows,
    }


def _reasons(told: dict[str, int], refused: int) -> dict[str, int]:
    """The most frequent first; what is not named makes up the rest."""
    ranked = sorted(told.items(), key=lambda pair: (-pair[1], pair[0]))
    named = dict([pair for pair in ranked if pair[0] != OTHER][:_REASONS])
    rest = refused - sum(named.values())
    return named | ({OTHER: rest} if rest > 0 else {})
