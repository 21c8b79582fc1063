"""One estimator per target: how algorithms that know one target learn many, with missing labels."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from app.algorithms.base import (
    Algorithm,
    Examples,
    FitContext,
    FittedModel,
    LearningTask,
    Matrix,
    Predictions,
)
from app.algorithms.cleaning import Cleaning
from app.algorithms.fast_forms import FastForm, Numbers, Proof, proof_rows
from app.algorithms.imbalance import row_weights
from app.algorithms.scaling import Scaling
from app.core.errors import InvalidInput
from app.core.plugin import PluginParams

logger = logging.getLogger(__name__)

_MIN_LABELS = 2


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The rows of one target that carry a label, prepared."""

    X: Matrix
    #: (n,) numbers or class indices
    y: NDArray[np.float64]
    #: (n,) how much each row counts, classes' weights included; None: all the same
    weights: NDArray[np.float64] | None = None
    #: rows that the fit may look at to stop early, of the classes that training has
    validation: "Sample | None" = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) class indices."""
        return self.y.astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """One target's estimator; None when its training labels were all of one class."""

    estimator: Any | None
    #: class indices that the estimator's probability columns stand for
    seen: tuple[int, ...] = ()
    #: one of them at most: how X is prepared, as learned from this target's training rows
    scaling: Scaling | None = None
    cleaning: Cleaning | None = None
    #: prepared training rows that a fast form is proved on
    proof_rows: Matrix | None = None
    #: the proof of a stored model
    proof: Proof | None = None

    def inputs(self, X: Matrix) -> Matrix:
        prepared = self.scaling or self.cleaning
        return X if prepared is None else prepared.transform(X)


class PerTargetAlgorithm(Algorithm):
    """Subclasses fit, apply and store one estimator; everything about targets is here.

    A target of a multi-target task whose training labels are of one class is predicted as that
    class with probability 1; in a single-target task that is refused.
    """

    #: columns are scaled inside the fit (linear models, kernels), else cleaned (trees)
    scaled: ClassVar[bool] = False
    #: file name ending of a stored estimator
    suffix: ClassVar[str] = ".skops"
    #: rows up to which the fast form is the quicker one (see decision 11); 0: there is none
    fast_rows: ClassVar[int] = 0
    uses_weights = True

    def __init__(self, params: PluginParams | None = None) -> None:
        super().__init__(params)
        if getattr(self.params, "early_stopping_rounds", None) is not None:
            self.needs_validation = True

    @abstractmethod
    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        """An estimator fitted to the labelled rows of one target."""

    @staticmethod
    @abstractmethod
    def save_one(estimator: Any, path: Path) -> None: ...

    @staticmethod
    @abstractmethod
    def load_one(path: Path) -> Any: ...

    @staticmethod
    def predict_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        """(n,) numbers of a regressor."""
        return np.asarray(estimator.predict(X), dtype=np.float64)

    @staticmethod
    def predict_proba_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        """(n, seen classes) of a classifier."""
        return np.asarray(estimator.predict_proba(X), dtype=np.float64)

    @staticmethod
    def std_one(estimator: Any, X: Matrix) -> NDArray[np.float64] | None:
        """(n,) spread of an ensemble's members; None when the estimator has none."""
        del estimator, X
        return None

    @classmethod
    def regress_one(cls, estimator: Any, X: Matrix) -> Numbers:
        """Numbers of a regressor and their spread."""
        values = cls.predict_one(estimator, X)
        return Numbers(values=values.reshape(-1, 1), std=cls.std_one(estimator, X))

    @classmethod
    def numbers_one(cls, estimator: Any, X: Matrix, *, classifies: bool) -> Numbers:
        """What a fast form must give too."""
        if classifies:
            return Numbers(values=cls.predict_proba_one(estimator, X))
        return cls.regress_one(estimator, X)

    @staticmethod
    def fast_one(estimator: Any, *, classifies: bool) -> FastForm | None:
        """Another form of the estimator, quicker for up to `fast_rows` rows; None without one."""
        del estimator, classifies
        return None

    @staticmethod
    def importances_one(estimator: Any) -> NDArray[np.float64] | None:
        """(width,) importance of each column, when it is cheap."""
        del estimator
        return None

    @staticmethod
    def coefficients_one(estimator: Any) -> NDArray[np.float64] | None:
        """(width,) of a linear model of one number, or of the log odds of the second of two
        classes; None of another.
        """
        del estimator
        return None

    def fit(
        self,
        task: LearningTask,
        train: Examples,
        validation: Examples | None,
        context: FitContext,
    ) -> FittedModel:
        fitted: list[Fitted] = []
        for number, target in enumerate(task.targets):
            context.work.raise_if_cancelled()
            context.work.progress(
                number, len(task.targets), unit="target", stage="fit", message=target
            )
            fitted.append(self._fit_target(task, number, train, validation, context))
        return PerTargetModel(algorithm=type(self), task=task, fitted=fitted)

    def _fit_target(
        self,
        task: LearningTask,
        number: int,
        train: Examples,
        validation: Examples | None,
        context: FitContext,
    ) -> Fitted:
        sample = labelled(train, number)
        name = task.targets[number]
        if len(sample.y) < _MIN_LABELS:
            raise InvalidInput(
                f"target {name!r} has {len(sample.y)} labelled training rows",
                code="no_labels" if not len(sample.y) else "too_few_rows",
            )
        seen = tuple(int(c) for c in np.unique(sample.y)) if task.is_classification else ()
        if len(seen) == 1:
            if len(task.targets) == 1:
                raise InvalidInput(
                    f"every training row of {name!r} is of one class",
                    code="one_class",
                    remedy="Give rows of at least two classes, or use a stratified split.",
                )
            return Fitted(estimator=None, seen=seen)
        prepared = Fitted(
            estimator=None,
            seen=seen,
            scaling=Scaling.fit(sample.X) if self.scaled else None,
            cleaning=None if self.scaled else Cleaning.fit(sample.X),
        )
        words = task.classes[number] if task.is_classification else ()
        sample = replace(
            sample,
            X=prepared.inputs(sample.X),
            weights=row_weights(self.params, sample, words),
            validation=self._held_out(validation, number, prepared),
        )
        if not sample.X.shape[1]:
            raise InvalidInput(
                f"no feature differs among the {len(sample.y)} training rows of {name!r}",
                remedy="Choose other features, or give more rows.",
            )
        return replace(
            prepared,
            estimator=self.fit_one(sample, task.type, context),
            proof_rows=proof_rows(sample.X) if self.fast_rows else None,
        )

    def _held_out(
        self, validation: Examples | None, number: int, prepared: Fitted
    ) -> Sample | None:
        """What an early stop looks at; without such rows all rounds are fitted."""
        if validation is None or not self.needs_validation:
            return None
        sample = labelled(validation, number)
        known = np.isin(sample.y, prepared.seen) if prepared.seen else np.isfinite(sample.y)
        if not known.any():
            return None
        return Sample(X=prepared.inputs(sample.X[known]), y=sample.y[known])

    @classmethod
    def load(cls, folder: Path, task: LearningTask) -> FittedModel:
        return PerTargetModel.load(cls, folder, task)


def labelled(examples: Examples, number: int) -> Sample:
    """The rows that carry a label of one target."""
    known = np.isfinite(examples.y[:, number])
    if known.all():
        return Sample(X=examples.X, y=examples.y[:, number], weights=examples.weights)
    weights = None if examples.weights is None else examples.weights[known]
    return Sample(X=examples.X[known], y=examples.y[known, number], weights=weights)


class Engine:
    """One target's estimator, and its fast form where that is proved."""

    def __init__(
        self, algorithm: type[PerTargetAlgorithm], fitted: Fitted, *, classifies: bool
    ) -> None:
        self.fitted = fitted
        self._algorithm = algorithm
        self._classifies = classifies

    def numbers(self, X: Matrix) -> Numbers:
        """Of raw X (n, width)."""
        inputs = self.fitted.inputs(X)
        few = 0 < len(X) <= self._algorithm.fast_rows
        form = self._form if few else None
        if form is not None and inputs.shape[1] == form.width:
            return form.numbers(inputs)
        return self._original(inputs)

    @cached_property
    def proof(self) -> Proof | None:
        """Stored with the model, or made now; None where there is nothing to prove."""
        rows = self.fitted.proof_rows
        if self.fitted.proof is not None or rows is None or self._made is None:
            return self.fitted.proof
        return Proof.of(self._made, self._original, rows)

    def ready(self) -> None:
        """Make the form of a stored model, and hold it to what was stored."""
        self._form  # noqa: B018 - it is kept

    @cached_property
    def _form(self) -> FastForm | None:
        """Only when it is proved, here and now."""
        proof = self.proof
        if proof is None or proof.why_not is not None:
            return None
        made = self._made
        if made is None or (
            self.fitted.proof is not None and not proof.holds(made, self._original)
        ):
            return None
        return made

    @cached_property
    def _made(self) -> FastForm | None:
        estimator = self.fitted.estimator
        if estimator is None:
            return None
        try:
            return self._algorithm.fast_one(estimator, classifies=self._classifies)
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            # another version of the library, or a kind of tree that has none: the estimator answers
            logger.warning("%s has no fast form here: %s", self._algorithm.name, error)
            return None

    def _original(self, inputs: Matrix) -> Numbers:
        return self._algorithm.numbers_one(
            self.fitted.estimator, inputs, classifies=self._classifies
        )


class PerTargetModel:
    """Predicts each target by its estimator, a few rows by the estimator's fast form."""

    def __init__(
        self,
        *,
        algorithm: type[PerTargetAlgorithm],
        task: LearningTask,
        fitted: Sequence[Fitted],
    ) -> None:
        self._algorithm = algorithm
        self._task = task
        self._fitted = fitted
        self._engines = [
            Engine(algorithm, target, classifies=task.is_classification) for target in fitted
        ]

    @property
    def algorithm(self) -> type[PerTargetAlgorithm]:
        return self._algorithm

    @property
    def fitted(self) -> Sequence[Fitted]:
        """Of each target."""
        return self._fitted

    def predict(self, X: Matrix) -> Predictions:
        if not self._task.is_classification:
            found = [engine.numbers(X) for engine in self._engines]
            values = np.concatenate([numbers.values for numbers in found], axis=1)
            known = [numbers.std for numbers in found if numbers.std is not None]
            std = np.column_stack(known) if len(known) == len(found) else None
            return Predictions(values=values, std=std)
        probabilities = [
            self._classify(engine, X, len(classes))
            for engine, classes in zip(self._engines, self._task.classes, strict=True)
        ]
        values = np.column_stack([p.argmax(axis=1).astype(np.float64) for p in probabilities])
        return Predictions(values=values, probabilities=probabilities)

    def save(self, folder: Path) -> None:
        targets = []
        for number, fitted in enumerate(self._fitted):
            if fitted.estimator is not None:
                path = folder / f"target-{number}{self._algorithm.suffix}"
                self._algorithm.save_one(fitted.estimator, path)
            if fitted.scaling is not None:
                fitted.scaling.save(folder / f"scaling-{number}.safetensors")
            if fitted.cleaning is not None:
                fitted.cleaning.save(folder / f"cleaning-{number}.safetensors")
            if (proof := self._engines[number].proof) is not None:
                proof.save(folder / f"fast-{number}.safetensors")
            targets.append(
                {
                    "seen": fitted.seen,
                    "constant": fitted.estimator is None,
                    "scaled": fitted.scaling is not None,
                    "cleaned": fitted.cleaning is not None,
                    "fast": proof is not None,
                }
            )
        (folder / "targets.json").write_bytes(orjson.dumps(targets))

    @classmethod
    def load(cls, algorithm: type[PerTargetAlgorithm], folder: Path, task: LearningTask) -> Self:
        fitted = []
        for number, entry in enumerate(orjson.loads((folder / "targets.json").read_bytes())):
            path = folder / f"target-{number}{algorithm.suffix}"
            scaling = folder / f"scaling-{number}.safetensors"
            cleaning = folder / f"cleaning-{number}.safetensors"
            fast = folder / f"fast-{number}.safetensors"
            fitted.append(
                Fitted(
                    estimator=None if entry["constant"] else algorithm.load_one(path),
                    seen=tuple(entry["seen"]),
                    scaling=Scaling.load(scaling) if entry["scaled"] else None,
                    cleaning=Cleaning.load(cleaning) if entry.get("cleaned") else None,
                    proof=Proof.load(fast) if entry.get("fast") else None,
                )
            )
        model = cls(algorithm=algorithm, task=task, fitted=fitted)
        for engine in model._engines:
            engine.ready()
        return model

    def describe(self) -> dict[str, Any]:
        """Most important feature columns per target: [[column, share], ...], at most 20; of linear
        models their standardized coefficients, in the same order: what the answer changes by when
        a column rises by one standard deviation of the training rows; and per target how its fast
        form compares with the estimator.
        """
        proofs = {
            target: engine.proof.facts(self._algorithm.fast_rows)
            for target, engine in zip(self._task.targets, self._engines, strict=True)
            if engine.proof is not None
        }
        importances, coefficients = {}, {}
        for target, fitted in zip(self._task.targets, self._fitted, strict=True):
            if fitted.estimator is None:
                continue
            top = _top(self._algorithm.importances_one(fitted.estimator), fitted.scaling)
            importances[target] = top
            found = self._algorithm.coefficients_one(fitted.estimator)
            if found is not None and fitted.scaling is not None:
                kept = dict(zip(np.flatnonzero(fitted.scaling.kept), found, strict=True))
                coefficients[target] = [(n, round(float(kept[n]), 6)) for n, _ in top]
        return (
            ({"fast_form": proofs} if proofs else {})
            | ({"coefficients": coefficients} if coefficients else {})
            | {"importances": importances}
        )

    def importances(self) -> dict[str, NDArray[np.float64]]:
        """Share of each feature column (width,) per target, where the estimator has its own."""
        found = {}
        for target, fitted in zip(self._task.targets, self._fitted, strict=True):
            shares = _shares(self._algorithm, fitted)
            if shares is not None:
                found[target] = shares
        return found

    def _classify(self, engine: Engine, X: Matrix, n_classes: int) -> NDArray[np.float64]:
        probabilities = np.zeros((len(X), n_classes))
        fitted = engine.fitted
        constant = fitted.estimator is None
        probabilities[:, list(fitted.seen)] = 1.0 if constant else engine.numbers(X).values
        return probabilities


def _shares(algorithm: type[PerTargetAlgorithm], fitted: Fitted) -> NDArray[np.float64] | None:
    """Sum 1, over all columns; those that scaling dropped have 0."""
    found = None if fitted.estimator is None else algorithm.importances_one(fitted.estimator)
    if found is None or not found.sum() > 0:
        return None
    if fitted.scaling is None:
        whole: NDArray[np.float64] = found / found.sum()
        return whole
    shares = np.zeros(len(fitted.scaling.kept))
    shares[fitted.scaling.kept] = found / found.sum()
    return shares


def _top(
    importances: NDArray[np.float64] | None, scaling: Scaling | None
) -> list[tuple[int, float]]:
    if importances is None or not importances.sum() > 0:
        return []
    columns = np.arange(len(importances)) if scaling is None else np.flatnonzero(scaling.kept)
    shares = importances / importances.sum()
    best = np.argsort(-shares, kind="stable")[:20]
    return [(int(columns[i]), round(float(shares[i]), 6)) for i in best if shares[i] > 0]
