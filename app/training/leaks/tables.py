"""Rows of a table that are equal in every feature, on both sides of a split."""

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Cells
from app.training.leaks.findings import Finding, Severity, Sides, how_many

#: an error are only equal rows of more than this share of the test rows, ...
_MANY = 0.05
#: ... in a table where equal rows are no chance: a column has that share of different values, ...
_DISTINCT = 0.5
#: ... and whose labels are those of their copies
_AGREE = 0.9


def equal_rows(cells: Cells, y: NDArray[np.float64], sides: Sides) -> list[Finding]:
    """Of few values rows are equal by chance, which is a warning; see above for an error."""
    keys = row_keys(cells)
    copies: set[int] = set()
    shares = []
    for learned, tested in sides:
        known: dict[str, list[bytes]] = {}
        for row in learned.tolist():
            known.setdefault(keys[row], []).append(y[row].tobytes())
        here = [row for row in tested.tolist() if keys[row] in known]
        shares += [_share(known[keys[row]], y[row].tobytes()) for row in here]
        copies.update(here)
    if not copies:
        return []
    agree = float(np.mean(shares))
    many = len(copies) > _MANY * len(np.unique(np.concatenate([tested for _, tested in sides])))
    severity: Severity = "error" if many and agree >= _AGREE and _rich(cells) else "warning"
    return [
        Finding(
            leak="same_features",
            severity=severity,
            detail=f"{how_many(len(copies), 'test row is', 'test rows are')} equal in every "
            "feature column to rows that are learned from, of which on average "
            f"{100 * agree:.0f} % have the same label",
            remedy='If they are one case: ingest with an identifier and "duplicates": "merge", or '
            "split by a group column.",
            rows=sorted(copies),
        )
    ]


def _share(labels: list[bytes], label: bytes) -> float:
    return labels.count(label) / len(labels)


def _rich(cells: Cells) -> bool:
    distinct = (len(set(map(repr, values.tolist()))) / len(values) for values in cells.values())
    return max(distinct) > _DISTINCT


def row_keys(cells: Cells) -> list[str]:
    """Equal for rows that are equal in every cell, missing ones too."""
    columns = [values.tolist() for values in cells.values()]
    return [repr(row) for row in zip(*columns, strict=True)]
