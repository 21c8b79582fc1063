"""Predictions of rows by models that had not seen them: what a calibration is learned from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import Algorithm, FitContext, FittedModel, Predictions
from app.core.errors import InvalidInput
from app.core.work import WorkContext
from app.features.fitted import FittedFeatures
from app.splitters.base import Indices, Split, splitters
from app.training.material import Material, tell
from app.training.params import TrainParams
from app.training.splitting import fold_dataset, testable_rows
from app.uncertainty.assessor import NEIGHBOURS, HeldOut
from app.uncertainty.domain import Leverage
from app.uncertainty.nearest import Nearest
from app.uncertainty.references import index_of

#: rows x targets x feature columns up to which folds are worth their fits (`calibration: auto`):
#: 7,000 molecules with the default features; beyond, the validation part is large enough
CROSS_COST = 20_000_000
#: fewer rows say nothing about errors
_MIN_ROWS = 20
#: fewer rows that could be tested: all are asked about, for intervals that are too wide rather than
#: learned from too little
_MIN_ASKED = 100

CROSS = "cross_conformal"
SPLIT = "split_conformal"


def method_of(params: TrainParams, material: Material, algorithm: Algorithm) -> str:
    """`cross_conformal` (folds of all rows but the test rows; the model learns from all of them) or
    `split_conformal` (the validation rows; the model does not learn from them).
    """
    if params.calibration != "auto":
        return CROSS if params.calibration == "cross" else SPLIT
    if not len(material.usable(material.split.split.validation)):
        return CROSS
    cost = material.dataset.size * len(material.labels.task.targets) * material.width
    dear = cost > CROSS_COST or algorithm.device == "gpu" or algorithm.needs_validation
    return SPLIT if dear else CROSS


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """What rows are compared by."""

    material: Material
    #: (rows of the data set, 2048) of molecules; None of a table, whose features are compared
    fingerprints: NDArray[np.uint8] | None

    def keys(self, X: NDArray[Any], rows: Indices) -> NDArray[Any]:
        """Of these rows, whose features are X."""
        return X if self.fingerprints is None else self.fingerprints[rows]

    def nearest(
        self, learned: tuple[NDArray[Any], Indices], asked: tuple[NDArray[Any], Indices]
    ) -> Nearest:
        """(features, rows) each; the places are rows of the data set."""
        index = index_of(self.keys(*learned), molecules=self.fingerprints is not None)
        found = index.nearest(self.keys(*asked), NEIGHBOURS)
        return Nearest(places=learned[1][found.places], similarity=found.similarity)

    def held(
        self, features: FittedFeatures, fitted: FittedModel, learned: Indices, rows: Indices
    ) -> HeldOut:
        """`rows` by a model that learned from others."""
        X, seen = self.material.matrix(features, rows), self.material.matrix(features, learned)
        of_classes = self.material.labels.task.is_classification
        return HeldOut(
            rows=rows,
            fold=np.zeros(len(rows), dtype=np.int64),
            predictions=fitted.predict(X),
            nearest=self.nearest((seen, learned), (X, rows)),
            beyond=np.full(len(rows), np.nan) if of_classes else Leverage.fit(seen).beyond(X),
            drawn_singly=splitters.get(self.material.split.spec.name).drawn_singly,
        )


def folds_of(
    context: WorkContext, params: TrainParams, material: Material, rows: Indices
) -> list[Split]:
    """Of `rows`, by the job's own splitter and its seed; tested are only rows that the split could
    test, for nobody asks about the others. None at all, with a warning, where that cannot be.
    """
    if len(rows) < _MIN_ROWS:
        _warn(context, f"{len(rows)} rows are too few for folds")
        return []
    try:
        folds = fold_dataset(
            material.dataset,
            params.split,
            material.labels.y,
            rows,
            seed=params.seed,
            n=params.calibration_folds,
        )
        asked = testable_rows(material.dataset, params.split, material.labels.y, rows)
    except InvalidInput as error:
        _warn(context, error.detail)
        return []
    if len(asked) < _MIN_ASKED:
        return folds
    tested = [replace(fold, test=np.intersect1d(fold.test, asked)) for fold in folds]
    return [fold for fold in tested if len(fold.test)]


def out_of_fold(
    context: WorkContext,
    folds: Sequence[Split],
    near: Neighbourhood,
    algorithm: Algorithm,
    fit: FitContext,
) -> HeldOut | None:
    """Each row predicted by a model of the other folds. None, with a warning, where that cannot
    be, and without folds.
    """
    material, parts = near.material, []
    try:
        for number, fold in enumerate(folds):
            context.raise_if_cancelled()
            tell(context, "calibrate", f"fold {number + 1} of {len(folds)}")
            features = material.fit_features(fold.train)
            examples = material.examples(features, fold.train)
            fitted = algorithm.fit(material.labels.task, examples, None, fit)
            parts.append(near.held(features, fitted, fold.train, fold.test))
    except InvalidInput as error:
        _warn(context, error.detail)
        return None
    return _joined(parts) if parts else None


def of_validation(
    context: WorkContext, near: Neighbourhood, features: FittedFeatures, fitted: FittedModel
) -> HeldOut | None:
    """The validation rows, by the model itself."""
    split = near.material.split.split
    rows = near.material.usable(split.validation)
    if len(rows) < _MIN_ROWS:
        _warn(context, f"{len(rows)} validation rows are too few")
        return None
    return near.held(features, fitted, near.material.usable(split.train), rows)


def _warn(context: WorkContext, why: str) -> None:
    context.warn("not_calibrated", f"{why}: predictions come without interval")


def _joined(parts: Sequence[HeldOut]) -> HeldOut:
    """In the order of the data set's rows."""
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    fold = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
    return HeldOut(
        rows=rows[order],
        fold=fold[order],
        predictions=Predictions.joined([part.predictions for part in parts]).taken(order),
        nearest=Nearest.joined([part.nearest for part in parts]).taken(order),
        beyond=np.concatenate([part.beyond for part in parts])[order],
        drawn_singly=parts[0].drawn_singly,
    )
