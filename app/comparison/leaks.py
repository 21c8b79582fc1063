"""The leak audit of a comparison: once, over the rows and folds that all candidates share."""

from collections.abc import Sequence
from typing import Any

from app.comparison.folds import Folds
from app.featurizers.base import Cells
from app.training.leaks.audit import Audit, audit_folds
from app.training.leaks.scope import Scope
from app.training.material import LabelledRows
from app.training.params import SplitSpec


class SeenColumns:
    """Feature columns that any candidate learns from."""

    def __init__(self) -> None:
        self.columns: dict[str, dict[str, Any]] = {}
        self.cells: Cells = {}

    def add(self, material: LabelledRows) -> None:
        self.columns |= {column["name"]: column for column in material.columns}
        self.cells = {**self.cells, **material.cells}


def audited_folds(
    material: LabelledRows, seen: SeenColumns, split: SplitSpec, folds: Folds
) -> Audit:
    """`material`: of any candidate; all have the same rows and labels."""
    scope = Scope(
        dataset=material.dataset,
        labels=material.labels,
        columns=list(seen.columns.values()),
        cells=seen.cells,
        split=split,
        sides=[(fold.train, fold.test) for repeat in folds for fold in repeat],
    )
    return audit_folds(scope, len(folds[0]))


def cautions(leaks: Sequence[dict[str, Any]], easy: str) -> list[str]:
    """Sentences beside the conclusion. `leaks`: findings of severity error."""
    found = [
        f"Leak: {finding['detail']}. Every score may be flattered by it, and the candidate that"
        " makes the most of it wins."
        for finding in leaks
    ]
    return [*found, *([f"Easy folds: {easy}"] if easy else [])]
