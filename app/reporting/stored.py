"""A model's stored files as values; what an older model lacks is empty or NaN, never an error."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

Values = NDArray[np.float64]

#: rows that a model never learned from, in the order of how much they say
PARTS = ("test", "out_of_fold")


@dataclass(frozen=True, kw_only=True)
class TargetRows:
    """n labelled rows of one target and part. Numbers are float64, NaN where nothing is stored;
    classes are indices.
    """

    row: NDArray[np.int64]
    measured: Values
    predicted: Values
    lower: Values
    upper: Values
    std: Values
    #: 0 to 1, higher is surer
    confidence: Values
    #: Tanimoto similarity to the nearest training molecule
    similarity: Values
    #: 1 inside, 0 outside, NaN not known
    in_domain: Values
    #: (n, classes); None for numbers
    probabilities: Values | None
    #: standardized; empty for a table
    smiles: list[str]

    @property
    def n(self) -> int:
        return len(self.row)

    @property
    def error(self) -> Values:
        """Numbers: |measured - predicted|. Classes: 1 - probability of the true class."""
        if self.probabilities is None:
            return np.abs(self.measured - self.predicted)
        right = self.probabilities[np.arange(self.n), self.measured.astype(int)]
        return np.asarray(1.0 - right)

    def at(self, rows: NDArray[Any]) -> "TargetRows":
        """These rows of it, by index or mask."""
        chosen: dict[str, Any] = {
            name: getattr(self, name)[rows]
            for name in (*_NUMBERS, "row", "measured", "predicted", "similarity", "in_domain")
        }
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        smiles = [self.smiles[i] for i in np.arange(self.n)[rows]] if self.smiles else []
        return TargetRows(**chosen, probabilities=probabilities, smiles=smiles)


_NUMBERS = ("lower", "upper", "std", "confidence")


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    #: manifest.json
    manifest: Mapping[str, Any]
    #: metrics.json
    metrics: Mapping[str, Any]
    #: predictions.parquet; None when there is none
    predictions: bytes | None

    @property
    def targets(self) -> list[str]:
        return list(self.manifest["targets"])

    @property
    def task(self) -> str:
        return str(self.manifest["task"])

    @property
    def is_classification(self) -> bool:
        return self.task != "regression"

    @property
    def of_molecules(self) -> bool:
        """Else of the rows of a table."""
        return "smiles" in self._names or not self.manifest.get("columns")

    def unit(self, target: str) -> str:
        """Empty when the data set names none, and for classes."""
        return str(self.manifest.get("units", {}).get(target, ""))

    def classes(self, target: str) -> list[str]:
        words = self.manifest.get("classes") or []
        return list(words[self.targets.index(target)]) if words else []

    @property
    def held_part(self) -> str:
        """What intervals and probabilities were calibrated on, beside the test rows."""
        return "out_of_fold" if self.metrics.get("out_of_fold") else "validation"

    def section(self, name: str, target: str | None = None) -> Mapping[str, Any]:
        """Of metrics.json; empty when it is not there."""
        found = self.metrics.get(name) or {}
        if target is not None:
            found = found.get(target) or {}
        return dict(found)

    def rows(self, target: str, part: str) -> TargetRows:
        """Labelled rows of `part`; out_of_fold: of older models the validation rows."""
        mask = self._parts == part
        if part == "out_of_fold" and not mask.any():
            mask = self._parts == "validation"
        measured = self._column(target)
        return self._take(target, np.flatnonzero(mask & np.isfinite(measured)), measured)

    @cached_property
    def _table(self) -> "pa.Table | None":
        import pyarrow.parquet as pq

        return None if self.predictions is None else pq.read_table(io.BytesIO(self.predictions))

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self._table.column_names if self._table is not None else ())

    @cached_property
    def _parts(self) -> NDArray[Any]:
        return np.array(self._table["part"].to_pylist() if self._table is not None else [])

    @cached_property
    def smiles(self) -> list[str]:
        """Of all stored rows, standardized; empty for a table."""
        found = self._table["smiles"].to_pylist() if "smiles" in self._names else []  # type: ignore[index]
        return [text or "" for text in found]

    def _column(self, name: str) -> Values:
        if self._table is None or name not in self._names:
            return np.full(len(self._parts), np.nan)
        import pyarrow as pa

        values = self._table[name].cast(pa.float64()).to_numpy()
        return np.asarray(values, dtype=np.float64)

    def _take(self, target: str, rows: NDArray[np.int64], measured: Values) -> TargetRows:
        words = self.classes(target)
        stored = [f"{target}_probability_{word}" for word in words]
        known = bool(words) and self._names.issuperset(stored)
        probabilities = (
            np.column_stack([self._column(name)[rows] for name in stored]) if known else None
        )
        predicted = self._column(f"{target}_predicted")[rows]
        numbers = {name: self._column(f"{target}_{name}")[rows] for name in _NUMBERS}
        if np.isnan(numbers["lower"]).all():
            numbers |= self._bounds(target, predicted)
        return TargetRows(
            row=self._column("row")[rows].astype(np.int64),
            measured=measured[rows],
            predicted=predicted,
            similarity=self._column("similarity")[rows],
            in_domain=self._column("in_domain")[rows],
            probabilities=probabilities,
            smiles=[self.smiles[row] for row in rows] if self.smiles else [],
            **numbers,
        )

    def _bounds(self, target: str, predicted: Values) -> dict[str, Values]:
        """Of a model whose intervals have one width, which is in its manifest."""
        calibration = self.manifest.get("calibration") or {}
        half = (calibration.get("half_width") or {}).get(target)
        if half is None:
            return {}
        return {"lower": predicted - half, "upper": predicted + half}
