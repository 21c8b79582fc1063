"""Consensus: the plain average of different algorithms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Field

from app.algorithms.base import (
    Algorithm,
    Examples,
    FitContext,
    FittedModel,
    HasImportances,
    LearningTask,
    Matrix,
    Predictions,
    algorithms,
)
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.members import MemberTrial, MemberWork
from app.core.errors import FieldError, InvalidInput
from app.core.plugin import PluginParams
from app.core.requests import PluginSpec

if TYPE_CHECKING:
    from optuna.trial import Trial

#: three ways to grow boosted trees: leaf by leaf, level by level, symmetric
_BOOSTERS = tuple(PluginSpec(name=name) for name in ("lightgbm", "xgboost", "catboost"))
_MOST_IMPORTANT = 20


@algorithms.register
class Consensus(Algorithm):
    """Members err in different places, so their average errs less than most of them, and where
    they disagree it is less certain: the spread of the members is the prediction's std.

    Members are the algorithms of this catalogue with their own defaults, which are made for
    molecules. Of the default members those that are installed take part (the model's facts say
    which); members that a request names must all be there.
    """

    name = "consensus"
    aliases = ("VotingRegressor", "VotingClassifier", "ensemble_average")
    summary = "Average of LightGBM, XGBoost and CatBoost (or of other members)"
    reference = "Perrone & Cooper 1993; sklearn.ensemble.VotingRegressor"
    tasks = frozenset({"regression", "binary", "multiclass"})

    #: as far as its members do
    uses_weights = True

    class Params(WeightedClasses):
        """`class_weight` is that of every member that has one and was not given its own."""

        #: the algorithms to average, each with its parameters
        members: tuple[PluginSpec, ...] = Field(default=_BOOSTERS, min_length=1, max_length=10)

    def __init__(self, params: PluginParams | None = None) -> None:
        super().__init__(params)
        self.needs_validation = any(member.needs_validation for _, member in self._members())
        self.compares_rows = any(member.compares_rows for _, member in self._members())

    @property
    def weighs_classes(self) -> bool:
        return any(member.weighs_classes for _, member in self._members())

    def ignoring_weights(self) -> tuple[str, ...]:
        return tuple(name for _, member in self._members() for name in member.ignoring_weights())

    @classmethod
    def unavailable(cls) -> str | None:
        """Only where no default member is installed."""
        reasons = [algorithms.get(spec.name).unavailable() for spec in _BOOSTERS]
        return None if None in reasons else "; ".join(reason for reason in reasons if reason)

    @classmethod
    def parse_params(cls, values: dict[str, Any]) -> Any:
        params = super().parse_params(values)
        for number, spec in enumerate(params.members):
            try:
                _check(spec, named="members" in params.model_fields_set)
            except InvalidInput as error:
                raise _of_member(number, error) from error
        return params

    def fit(
        self,
        task: LearningTask,
        train: Examples,
        validation: Examples | None,
        context: FitContext,
    ) -> FittedModel:
        members = self._members()
        fitted = []
        for number, (name, member) in enumerate(members):
            if not member.supports(task.type):
                raise InvalidInput(f"the member {name} does not do {task.type}")
            work = MemberWork(context.work, name=name, number=number, total=len(members))
            # a member's checkpoints would be taken for another's
            part = replace(context, work=work, checkpoints=None)
            fitted.append(member.fit(task, train, validation, part))
        names = [name for name, _ in members]
        return ConsensusModel(task=task, names=names, fitted=fitted, left_out=self._left_out())

    def _members(self) -> list[tuple[str, Algorithm]]:
        found = []
        for spec in self.params.members:
            cls = algorithms.get(spec.name)
            if cls.unavailable() is None:
                found.append((cls.name, cls.from_values(self._values(cls, spec))))
        return found

    def _values(self, cls: type[Algorithm], spec: PluginSpec) -> dict[str, Any]:
        shared = self.params.class_weight
        if shared is None or "class_weight" not in cls.Params.model_fields:
            return dict(spec.params)
        return {"class_weight": shared} | spec.params

    def _left_out(self) -> dict[str, str]:
        found = {spec.name: algorithms.get(spec.name).unavailable() for spec in self.params.members}
        return {name: why for name, why in found.items() if why is not None}

    @classmethod
    def load(cls, folder: Path, task: LearningTask) -> FittedModel:
        return ConsensusModel.load(folder, task)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """The members' own search spaces side by side."""
        here = [spec.name for spec in _BOOSTERS if algorithms.get(spec.name).unavailable() is None]
        return {
            "members": [
                {"name": name, "params": algorithms.get(name).suggest(_trial(trial, name), task)}
                for name in here
            ]
        }


@dataclass(frozen=True, kw_only=True)
class ConsensusModel:
    """Averages what its members predict."""

    task: LearningTask
    names: Sequence[str]
    fitted: Sequence[FittedModel]
    #: default members that are not installed here, and why
    left_out: dict[str, str]

    def predict(self, X: Matrix) -> Predictions:
        """The std is that of the members' numbers (regression), or of the probabilities that they
        give to the class that has the highest average; population form (divided by their number).
        """
        found = [member.predict(X) for member in self.fitted]
        if not self.task.is_classification:
            values = np.stack([predictions.values for predictions in found])
            return Predictions(values=values.mean(axis=0), std=values.std(axis=0))
        stacked = [
            np.stack([(predictions.probabilities or [])[target] for predictions in found])
            for target in range(len(self.task.targets))
        ]
        averages = [each.mean(axis=0) for each in stacked]
        classes = np.column_stack([average.argmax(axis=1) for average in averages])
        rows = np.arange(len(X))
        spreads = [each.std(axis=0)[rows, classes[:, t]] for t, each in enumerate(stacked)]
        return Predictions(
            values=classes.astype(np.float64),
            probabilities=averages,
            std=np.column_stack(spreads),
        )

    def importances(self) -> dict[str, NDArray[np.float64]]:
        """Mean share over the members that know their importances."""
        shares = [m.importances() for m in self.fitted if isinstance(m, HasImportances)]
        found = {}
        for target in self.task.targets:
            known = [each[target] for each in shares if target in each]
            if known:
                found[target] = np.mean(known, axis=0)
        return found

    def describe(self) -> dict[str, Any]:
        ranked = {}
        for target, shares in self.importances().items():
            best = np.argsort(-shares, kind="stable")[:_MOST_IMPORTANT]
            ranked[target] = [(int(i), round(float(shares[i]), 6)) for i in best if shares[i] > 0]
        left_out = {"left_out": self.left_out} if self.left_out else {}
        return {"members": list(self.names), **left_out, "importances": ranked}

    def save(self, folder: Path) -> None:
        for number, member in enumerate(self.fitted):
            part = folder / f"member-{number}"
            part.mkdir()
            member.save(part)
        facts = {"members": list(self.names), "left_out": self.left_out}
        (folder / "consensus.json").write_bytes(orjson.dumps(facts))

    @classmethod
    def load(cls, folder: Path, task: LearningTask) -> Self:
        facts = orjson.loads((folder / "consensus.json").read_bytes())
        fitted = []
        for number, name in enumerate(facts["members"]):
            _check(PluginSpec(name=name), named=True)
            fitted.append(algorithms.get(name).load(folder / f"member-{number}", task))
        return cls(task=task, names=facts["members"], fitted=fitted, left_out=facts["left_out"])


def _check(spec: PluginSpec, *, named: bool) -> None:
    """Raises InvalidInput for a member that cannot take part."""
    member = algorithms.get(spec.name)
    if member is Consensus:
        raise InvalidInput("a consensus cannot be a member of a consensus")
    why = member.unavailable()
    if named and why is not None:
        raise InvalidInput(
            f"{member.name} cannot be used here: {why}",
            code="algorithm_unavailable",
            remedy="Leave it out of the members, or ask the operator to install it.",
        )
    member.parse_params(spec.params)


def _of_member(number: int, error: InvalidInput) -> InvalidInput:
    problem = error.problem()
    place = f"/members/{number}"
    here = FieldError(pointer="", code=problem["code"], detail=error.detail)
    below = [FieldError({**e, "pointer": f"/params{e['pointer']}"}) for e in error.errors]
    return InvalidInput(
        f"member {number + 1} of the consensus: {error.detail}",
        code=problem["code"],
        remedy=problem["remedy"],
        errors=[FieldError({**e, "pointer": place + e["pointer"]}) for e in below or [here]],
    )


def _trial(trial: Any, member: str) -> Any:
    """Typed as what a search space takes: it asks for numbers and choices only."""
    return MemberTrial(trial, member)
