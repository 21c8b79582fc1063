"""A feature set once it has seen training rows: what it learned of a table's columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.features.compute import FeatureSet
from app.featurizers.base import Cells, CrossFitted, FittedColumns, Targets


@dataclass(frozen=True, kw_only=True)
class FittedFeatures:
    """Molecule features first, then those of columns."""

    feature_set: FeatureSet
    fitted: tuple[FittedColumns, ...]
    #: of the rows that it was learned from, for the leak audit; "" when nobody said
    rows_hash: str = ""

    @classmethod
    def fit(
        cls,
        feature_set: FeatureSet,
        columns: Sequence[Mapping[str, Any]],
        cells: Cells,
        targets: Targets,
    ) -> Self:
        """`cells` and `targets` are of training rows. Raises InvalidInput when nothing is left to
        learn from.
        """
        fitted = tuple(f.fit_to(columns, cells, targets) for f in feature_set.column_featurizers)
        features = cls(feature_set=feature_set, fitted=fitted)
        if features.width == 0:
            raise InvalidInput(
                "every feature column is constant over the training rows",
                code="constant_features",
                remedy="Give columns whose values differ the role `feature`.",
            )
        return features

    @property
    def columns(self) -> list[str]:
        return [*self.feature_set.columns, *(name for part in self.fitted for name in part.columns)]

    @property
    def sources(self) -> list[str]:
        """Per feature column what it was made from: a column of the table, or itself."""
        return [*self.feature_set.columns, *(name for part in self.fitted for name in part.sources)]

    @property
    def width(self) -> int:
        return len(self.columns)

    def matrix(self, molecular: NDArray[Any], cells: Cells) -> NDArray[Any]:
        """(n, width): `molecular` (n, feature_set.width) beside the columns' numbers (float32)."""
        if not self.fitted:
            return molecular
        parts = [part.transform(cells) for part in self.fitted]
        return np.concatenate([molecular, *parts], axis=1, dtype=np.float32)

    def training_matrix(
        self, molecular: NDArray[Any], cells: Cells, targets: Targets
    ) -> NDArray[Any]:
        """As `matrix`, of the very rows that it was learned from: no row sees its own target."""
        if not self.fitted:
            return molecular
        parts = [
            part.training(cells, targets)
            if isinstance(part, CrossFitted)
            else part.transform(cells)
            for part in self.fitted
        ]
        return np.concatenate([molecular, *parts], axis=1, dtype=np.float32)

    def notes(self, cells: Cells, n: int) -> list[list[str]]:
        """Per row what was put in for what is missing or was never seen."""
        found: list[list[str]] = [[] for _ in range(n)]
        for part in self.fitted if n else ():
            for row, notes in enumerate(part.notes(cells)):
                found[row] += notes
        return found

    def state(self) -> tuple[Any, ...]:
        """JSON of what was learned."""
        return tuple(part.state() for part in self.fitted)

    @classmethod
    def load(cls, feature_set: FeatureSet, state: Sequence[Any]) -> Self:
        pairs = zip(feature_set.column_featurizers, state, strict=True)
        return cls(feature_set=feature_set, fitted=tuple(f.load(learned) for f, learned in pairs))
