"""Rows of a table that are equal in every feature, on both sides of a split."""

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Cells
from app.splitters.base import Indices
from app.training.leaks.findings import Finding, Severity, how_many

#: an error are only equal rows of more than this share of the test rows, ...
_MANY = 0.05
#: ... in a table where equal rows are no chance: a column has that share of different values, ...
_DISTINCT = 0.5
#: ... and whose labels are those of their copies
_AGREE = 0.9


def equal_rows(
    cells: Cells, y: NDArray[np.float64], learned: Indices, tested: Indices
) -> list[Finding]:
    """Of few values rows are equal by chance, which is a warning; see above for an error."""
    keys = row_keys(cells)
    known: dict[str, list[bytes]] = {}
    for row in learned.tolist():
        known.setdefault(keys[row], []).append(y[row].tobytes())
    copies = [row for row in tested.tolist() if keys[row] in known]
    if not copies:
        return []
    agree = float(np.mean([_share(known[keys[row]], y[row].tobytes()) for row in copies]))
    many = len(copies) > _MANY * len(tested)
    severity: Severity = "error" if many and agree >= _AGREE and _rich(cells) else "warning"
    return [
        Finding(
            leak="same_features",
            severity=severity,
            detail=f"{how_many(len(copies), 'test row is', 'test rows are')} equal to a row that "
            f"is learned from in every feature column; {agree:.0%} of their labels are equal too",
            remedy='If they are one case: ingest with an identifier and "duplicates": "merge", or '
            "split by a group column.",
            rows=copies,
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
