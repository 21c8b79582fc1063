"""A few real rows and what the model says of them: how a copy is proved to be the model."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from app.algorithms.base import Predictions
from app.core.errors import InvalidInput
from app.datasets.records import Dataset
from app.exporting.equality import TOLERANCE, difference
from app.features.cells import Value, cell_arrays
from app.features.compute import featurize_smiles
from app.models.bundle import BundlePredictions, ModelBundle

#: rows that a bundle carries
ROWS = 20


class ProbeRow(BaseModel):
    """One input, in JSON's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    smiles: str | None = None
    #: by the names of the manifest's columns; dates as ISO text
    columns: dict[str, float | str | None] = {}


class Probe(BaseModel):
    """n rows that could be predicted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[ProbeRow, ...]
    #: (n, targets) numbers; of classes empty
    values: tuple[tuple[float, ...], ...]
    #: per target (n, classes); of numbers empty
    probabilities: tuple[tuple[tuple[float, ...], ...], ...] = ()

    @classmethod
    def of(cls, bundle: ModelBundle, rows: Sequence[ProbeRow]) -> Self:
        found = predict_probe(bundle, rows)
        kept = [rows[int(row)] for row in found.rows]
        said = found.predictions
        if said.probabilities is None:
            return cls(rows=tuple(kept), values=_tuples(said.values))
        return cls(
            rows=tuple(kept), values=(), probabilities=tuple(_tuples(p) for p in said.probabilities)
        )

    def check(self, bundle: ModelBundle) -> float:
        """The largest difference. Raises InvalidInput above the tolerance, or where a row cannot be
        predicted any more.
        """
        found = predict_probe(bundle, self.rows)
        wrong = [reason for reason in found.reasons if reason is not None]
        worst = float("inf") if wrong else difference(self._expected(), found.predictions)
        if worst > TOLERANCE:
            said = f"a row is refused: {wrong[0]}" if wrong else f"they differ by {worst:.2g}"
            raise InvalidInput(
                f"the bundle's {len(self.rows)} rows are not predicted as they were where it was "
                f"exported: {said}",
                code="bundle_predicts_otherwise",
            )
        return worst

    def _expected(self) -> Predictions:
        each = [np.asarray(p, dtype=np.float64) for p in self.probabilities]
        if not each:
            return Predictions(values=np.asarray(self.values, dtype=np.float64))
        values = np.column_stack([p.argmax(axis=1).astype(np.float64) for p in each])
        return Predictions(values=values, probabilities=each)


def probe_rows(bundle: ModelBundle, dataset: Dataset, most: int) -> list[ProbeRow]:
    """Evenly spaced rows of the data set that it was trained on."""
    places = np.unique(np.linspace(0, dataset.size - 1, min(most, dataset.size)).astype(np.int64))
    columns = {c["name"]: dataset.values(c["name"]) for c in bundle.manifest.columns}
    return [
        ProbeRow(
            smiles=dataset.smiles[place] if bundle.needs_structures else None,
            columns={name: _said(values[place]) for name, values in columns.items()},
        )
        for place in places
    ]


def reference_rows(bundle: ModelBundle, most: int) -> list[ProbeRow]:
    """Where no data set is at hand: molecules that the model remembers, columns left empty."""
    known = [] if bundle.assessor is None else list(bundle.assessor.references.smiles)
    empty: dict[str, float | str | None] = {c["name"]: None for c in bundle.manifest.columns}
    if bundle.needs_structures:
        step = max(1, len(known) // most)
        return [ProbeRow(smiles=smiles, columns=empty) for smiles in known[::step][:most]]
    return [ProbeRow(columns=empty)]


def predict_probe(bundle: ModelBundle, rows: Sequence[ProbeRow]) -> BundlePredictions:
    beside = _beside(bundle, rows)
    if bundle.needs_structures:
        return bundle.predict([row.smiles or "" for row in rows], None, beside)
    return bundle.predict_rows(beside)


def probe_matrix(bundle: ModelBundle, rows: Sequence[ProbeRow]) -> NDArray[Any]:
    """(n, width) features as the model gets them, of the rows that have any."""
    from app.chem.standardize import ChemistryError, standardize

    molecular: NDArray[Any] = np.empty((len(rows), 0), dtype=np.float32)
    if bundle.needs_structures:
        structures, kept = [], []
        for row in rows:
            try:
                structures.append(standardize(row.smiles or ""))
            except ChemistryError:
                continue
            kept.append(row)
        found = featurize_smiles(
            bundle.features.feature_set,
            [structure.smiles for structure in structures],
            None,
            [structure.mol for structure in structures],
        )
        good = [place for place in range(len(kept)) if place not in found.errors]
        molecular, rows = found.matrix[good], [kept[place] for place in good]
    beside = _beside(bundle, rows)
    columns = bundle.manifest.columns
    names = [column["name"] for column in columns]
    cells = cell_arrays(columns, {name: [row[name] for row in beside] for name in names})
    return bundle.features.matrix(molecular, cells)


def _beside(bundle: ModelBundle, rows: Sequence[ProbeRow]) -> list[Mapping[str, Value]]:
    """The columns' values as the model reads them."""
    dates = {c["name"] for c in bundle.manifest.columns if c["type"] == "date"}
    return [
        {name: _read(value, name in dates) for name, value in row.columns.items()} for row in rows
    ]


def _read(value: float | str | None, is_date: bool) -> Value:
    return datetime.fromisoformat(value) if is_date and isinstance(value, str) else value


def _said(value: Value) -> float | str | None:
    return value.isoformat() if isinstance(value, datetime) else value


def _tuples(values: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())
