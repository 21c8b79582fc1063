"""What a model says about each of its predictions: interval, confidence, domain, neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from app.algorithms.base import LearningTask, Predictions
from app.splitters.base import Indices
from app.uncertainty import conformal, probabilities
from app.uncertainty.domain import Leverage, similarity_threshold
from app.uncertainty.expected_error import (
    MIN_ROWS,
    ErrorModel,
    References,
    cross_fitted,
    error_features,
    follows_distance,
)
from app.uncertainty.nearest import Nearest, NeighbourIndex
from app.uncertainty.probabilities import Beta
from app.uncertainty.references import ReferenceRows

Values = NDArray[np.float64]

LEVEL = 0.9
#: nearest training rows that a prediction is compared to
NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """m rows with the predictions of models that had not seen them."""

    #: (m,) of the data set
    rows: Indices
    #: (m,) which of the models it was
    fold: NDArray[np.int64]
    #: as the models gave them, not calibrated
    predictions: Predictions
    #: among the rows that this model had seen; places are rows of the data set
    nearest: Nearest
    #: (m,) how far it is beyond the rows that this model had seen (`Leverage.beyond`); NaN of
    #: classes, of which nothing is learned from it
    beyond: Values
    #: whether the split draws rows one by one (`Splitter.drawn_singly`)
    drawn_singly: bool = True


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """Of n predictions of t targets."""

    #: (n, t) bounds of the interval; NaN for a target without one, None for classes
    lower: Values | None
    upper: Values | None
    #: (n, t) 0 to 1
    confidence: Values
    #: (n,) distance from the centre of the training rows
    leverage: Values
    #: by rule of the domain (`similarity`, `leverage`): (n,) whether it is kept
    kept: dict[str, NDArray[np.bool_]]
    #: (n,) whether all are: the model knows enough about such inputs
    inside: NDArray[np.bool_]
    #: places are those of `Assessor.references`
    nearest: Nearest

    def taken(self, rows: NDArray[np.int64]) -> Self:
        """What is said of some of them, in that order."""
        return type(self)(
            lower=None if self.lower is None else self.lower[rows],
            upper=None if self.upper is None else self.upper[rows],
            confidence=self.confidence[rows],
            leverage=self.leverage[rows],
            kept={rule: kept[rows] for rule, kept in self.kept.items()},
            inside=self.inside[rows],
            nearest=self.nearest.taken(rows),
        )

    @classmethod
    def joined(cls, parts: "Sequence[Assessment]") -> Self:
        """One after the other; `parts` are of one assessor, and there is at least one."""
        lower = [part.lower for part in parts if part.lower is not None]
        upper = [part.upper for part in parts if part.upper is not None]
        return cls(
            lower=np.concatenate(lower) if lower else None,
            upper=np.concatenate(upper) if upper else None,
            confidence=np.concatenate([part.confidence for part in parts]),
            leverage=np.concatenate([part.leverage for part in parts]),
            kept={
                rule: np.concatenate([part.kept[rule] for part in parts]) for rule in parts[0].kept
            },
            inside=np.concatenate([part.inside for part in parts]),
            nearest=Nearest.joined([part.nearest for part in parts]),
        )

    def outside_by(self, at: int) -> list[str]:
        """The rules that the prediction at `at` does not keep."""
        return [rule for rule, kept in self.kept.items() if not kept[at]]


class TargetCalibration(BaseModel):
    """What was learned of one target from rows that were held out."""

    model_config = ConfigDict(frozen=True)

    #: labelled rows that it was learned from
    n: int
    #: numbers: half an interval is this times the expected error; None: too few rows
    factor: float | None = None
    #: numbers: 101 quantiles of the expected error; see `conformal.confidence`
    grid: tuple[float, ...] = ()
    floor: float = 0.0
    #: numbers: the expected error is `Leverage.beyond` and not the error model's
    by_distance: bool = False
    #: classes: beta calibration of each; None: as the model says
    betas: tuple[Beta | None, ...] = ()


class Calibration(BaseModel):
    """The numbers of an assessor; its arrays are in files beside."""

    model_config = ConfigDict(frozen=True)

    #: whether held-out rows were those of folds or of the validation part
    method: str
    level: float = LEVEL
    targets: dict[str, TargetCalibration]
    similarity_threshold: float
    leverage_threshold: float
    #: classes: whether the calibrated probabilities decide (not in a model that weighs classes)
    decides: bool = True

    @property
    def summary(self) -> dict[str, Any]:
        """For the manifest."""
        rows = {target: found.n for target, found in self.targets.items()}
        return {"method": self.method, "level": self.level, "n": rows}


@dataclass(frozen=True, kw_only=True)
class Assessor:
    task: LearningTask
    calibration: Calibration
    references: ReferenceRows
    index: NeighbourIndex
    leverage: Leverage
    errors: Sequence[ErrorModel]

    @classmethod
    def fit(
        cls,
        task: LearningTask,
        y: Values,
        held: HeldOut | None,
        X: NDArray[Any] | None,
        references: ReferenceRows,
        reference_X: NDArray[Any],
        *,
        method: str,
        decides: bool = True,
    ) -> tuple[Self, Assessment | None]:
        """And what is said of the held-out rows, whose expected errors are cross-fitted.

        `y` (rows of the data set, targets); `X` (m, width) features of the held-out rows,
        `reference_X` (r, width) of the references, the rows that the model was fitted on.
        """
        leverage = Leverage.fit(reference_X)
        learned = [_learn(task, number, y, held, X) for number in range(len(task.targets))]
        closest = np.empty(0) if held is None else held.nearest.closest
        calibration = Calibration(
            method=method,
            targets={t: found.calibration for t, found in zip(task.targets, learned, strict=True)},
            similarity_threshold=similarity_threshold(closest),
            leverage_threshold=leverage.threshold,
            decides=decides,
        )
        assessor = cls(
            task=task,
            calibration=calibration,
            references=references,
            index=references.index(),
            leverage=leverage,
            errors=[found.model for found in learned],
        )
        if held is None or X is None:
            return assessor, None
        expected = np.column_stack([found.expected for found in learned])
        return assessor, assessor._assessed(
            X, held.nearest, assessor.calibrated(held.predictions), expected
        )

    # ---- using

    def calibrated(self, predictions: Predictions) -> Predictions:
        """With probabilities that mean what they say."""
        if predictions.probabilities is None:
            return predictions
        each = [
            probabilities.apply_all(p, self.calibration.targets[target].betas or [None])
            for p, target in zip(predictions.probabilities, self.task.targets, strict=True)
        ]
        if not self.calibration.decides:
            return replace(predictions, probabilities=each)
        values = np.column_stack([p.argmax(axis=1).astype(np.float64) for p in each])
        return replace(predictions, values=values, probabilities=each)

    def assess(self, X: NDArray[Any], keys: NDArray[Any], found: Predictions) -> Assessment:
        """`found` are calibrated predictions for X (n, width); `keys` (n, ...) as in
        `ReferenceRows.keys`.
        """
        nearest = self.index.nearest(keys, NEIGHBOURS)
        return self._assessed(X, nearest, found, self._expected(X, nearest, found))

    def _expected(self, X: NDArray[Any], nearest: Nearest, found: Predictions) -> Values:
        """(n, t) of numbers; nothing (n, 0) of classes."""
        if self.task.is_classification:
            return np.empty((len(X), 0))
        by_distance = [self.calibration.targets[target].by_distance for target in self.task.targets]
        distance = self.leverage.beyond(X) if any(by_distance) else np.empty(len(X))
        return np.column_stack(
            [
                distance if far else self._learned(X, nearest, found, n)
                for n, far in enumerate(by_distance)
            ]
        )

    def _learned(
        self, X: NDArray[Any], nearest: Nearest, found: Predictions, number: int
    ) -> Values:
        """(n,) by the error model of this target."""
        columns, model = self.errors[number].narrow
        known = self.references.target(number)
        return model.predict(_features(X.take(columns, axis=1), found, number, nearest, known))

    def _assessed(
        self, X: NDArray[Any], nearest: Nearest, found: Predictions, expected: Values
    ) -> Assessment:
        known = [self.calibration.targets[target] for target in self.task.targets]
        leverage = self.leverage.of(X)
        kept = {
            "similarity": nearest.closest >= self.calibration.similarity_threshold,
            "leverage": leverage <= self.calibration.leverage_threshold,
        }
        lower = upper = None
        if self.task.is_classification:
            confidence = class_confidence(found)
        else:
            half = expected * [np.nan if k.factor is None else k.factor for k in known]
            lower, upper = found.values - half, found.values + half
            confidence = np.column_stack(
                [conformal.confidence(expected[:, n], k.grid) for n, k in enumerate(known)]
            )
        return Assessment(
            lower=lower,
            upper=upper,
            confidence=confidence,
            leverage=leverage,
            kept=kept,
            inside=kept["similarity"] & kept["leverage"],
            nearest=nearest,
        )

    # ---- storing

    def save(self, folder: Path) -> None:
        """Into the empty `folder`; numbers as JSON, arrays as Parquet, safetensors and text."""
        (folder / "calibration.json").write_text(self.calibration.model_dump_json())
        self.references.save(folder, self.index)
        self.leverage.save(folder)
        for number, model in enumerate(self.errors):
            model.save(folder, f"errors-{number}")

    @classmethod
    def load(cls, folder: Path, task: LearningTask) -> Self:
        calibration = Calibration.model_validate_json((folder / "calibration.json").read_text())
        references, index = ReferenceRows.load(folder, len(task.targets))
        errors = [
            ErrorModel.load(folder, f"errors-{number}", calibration.targets[target].floor)
            for number, target in enumerate(task.targets)
        ]
        for model in errors:
            _ = model.narrow  # made now, and not while the first question waits
        return cls(
            task=task,
            calibration=calibration,
            references=references,
            index=index,
            leverage=Leverage.load(folder),
            errors=errors,
        )


def class_confidence(found: Predictions) -> Values:
    """(n, t) probability of the class that is predicted."""
    rows = np.arange(len(found.values))
    return np.column_stack(
        [
            p[rows, found.values[:, number].astype(int)]
            for number, p in enumerate(found.probabilities or [])
        ]
    )


def _features(
    X: NDArray[Any], found: Predictions, number: int, nearest: Nearest, known: References
) -> NDArray[np.float32]:
    std = None if found.std is None else found.std[:, number]
    return error_features(X, found.values[:, number], std, nearest, known)


@dataclass(frozen=True, kw_only=True)
class _Target:
    calibration: TargetCalibration
    model: ErrorModel
    #: (m,) of numbers, cross-fitted; empty of classes
    expected: Values


def _learn(
    task: LearningTask, number: int, y: Values, held: HeldOut | None, X: NDArray[Any] | None
) -> _Target:
    constant = ErrorModel.constant()
    if held is None or X is None:
        return _Target(calibration=TargetCalibration(n=0), model=constant, expected=np.empty(0))
    truth = y[held.rows, number]
    known = np.isfinite(truth)
    if task.is_classification:
        p = (held.predictions.probabilities or [])[number][known]
        betas = tuple(
            probabilities.calibrate(truth[known] == c, p[:, c])
            for c in range(len(task.classes[number]))
        )
        found = TargetCalibration(n=int(known.sum()), betas=betas)
        return _Target(calibration=found, model=constant, expected=np.empty(0))
    residuals = np.full(len(y), np.nan)
    residuals[held.rows] = truth - held.predictions.values[:, number]
    everywhere = References(y=y[:, number], residuals=residuals)
    features = _features(X, held.predictions, number, held.nearest, everywhere)
    errors = np.abs(residuals[held.rows])
    return _of_errors(features, errors, held, known)


def _of_errors(
    features: NDArray[np.float32], errors: Values, held: HeldOut, known: NDArray[np.bool_]
) -> _Target:
    """`errors` (m,) NaN where not `known`. By the error model, or by the distance to the training
    rows (`follows_distance`): what makes a molecule hard is learned where there are others like
    it, and among new scaffolds it may be that nothing is like it.
    """
    n = int(known.sum())
    model, expected, by_distance = ErrorModel.constant(), np.ones(len(errors)), False
    if n >= MIN_ROWS:
        learned = _expected(features[known], errors[known], held.fold[known])
        far = held.beyond[known]
        by_distance = follows_distance(learned, far, errors[known], drawn_singly=held.drawn_singly)
        if by_distance:
            expected = held.beyond
        else:
            model = ErrorModel.fit(features[known], errors[known])
            expected = model.predict(features)
            expected[known] = learned
    if not n:
        return _Target(calibration=TargetCalibration(n=0), model=model, expected=expected)
    calibration = TargetCalibration(
        n=n,
        factor=conformal.factor(errors[known], expected[known], LEVEL),
        grid=conformal.quantile_grid(expected[known]),
        floor=model.floor,
        by_distance=by_distance,
    )
    return _Target(calibration=calibration, model=model, expected=expected)


def _expected(features: NDArray[np.float32], errors: Values, folds: NDArray[np.int64]) -> Values:
    """Of rows of one fold (a validation part) by five parts of it."""
    if len(np.unique(folds)) == 1:
        folds = np.arange(len(errors)) % 5
    return cross_fitted(features, errors, folds)
