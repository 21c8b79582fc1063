"""What an audit looks through: rows and columns, and who learns from and is tested on which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from app.datasets.records import Dataset
from app.featurizers.base import Cells
from app.splitters.base import Indices, splitters
from app.training.examples import Labels
from app.training.leaks.columns import derived_columns
from app.training.leaks.findings import Finding, Sides
from app.training.leaks.replicates import conflicting_replicates
from app.training.leaks.sides import judged_columns, mixed_groups, mixed_times
from app.training.leaks.structures import shared_structures, unmerged_replicates
from app.training.leaks.tables import equal_rows
from app.training.params import SplitSpec
from app.training.splitting import column_cells

_MOLECULE_CHECKS = (
    *("same_structure", "same_stereo_parent", "same_tautomer_parent"),
    *("replicates_not_merged", "conflicting_replicates"),
)
_CHECKS = ("group_on_both_sides", "learned_from_the_future")


@dataclass(frozen=True, kw_only=True)
class Scope:
    dataset: Dataset
    labels: Labels
    #: feature columns, and the cells of all rows by their names
    columns: Sequence[Mapping[str, Any]]
    cells: Cells
    split: SplitSpec
    sides: Sides

    @cached_property
    def rows(self) -> Indices:
        """All that are learned from or tested."""
        return np.unique(np.concatenate([rows for pair in self.sides for rows in pair]))

    @property
    def checks(self) -> list[str]:
        """Codes of what `findings` looks for."""
        checks = [*_CHECKS, *(["target_column"] if self.columns else [])]
        if self.dataset.smiles:
            return [*checks, *_MOLECULE_CHECKS]
        return [*checks, "same_features"] if self.cells else checks

    def findings(self) -> list[Finding]:
        y, task = self.labels.y, self.labels.task
        found = derived_columns(self.columns, self.cells, y, task, self.rows) + self._mixed()
        if self.dataset.smiles:
            return found + self._molecules()
        return found + (equal_rows(self.cells, y, self.sides) if self.cells else [])

    def _molecules(self) -> list[Finding]:
        dataset, labels = self.dataset, self.labels
        return [
            *shared_structures(dataset.smiles, self.sides),
            *unmerged_replicates(dataset.smiles, self.rows),
            *conflicting_replicates(dataset, labels.y, labels.task, self.rows),
        ]

    def _mixed(self) -> list[Finding]:
        dataset, found = self.dataset, list[Finding]()
        split, asked = splitters.get(self.split.name).name, self.split.params.get("column")
        for name, kind, promised in judged_columns(dataset.columns, split, asked):
            cells = column_cells(dataset, name, np.arange(dataset.size))
            judge = mixed_groups if kind == "group" else mixed_times
            found += judge(name, cells or [None] * dataset.size, self.sides, asked=promised)
        return found
