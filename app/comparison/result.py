"""A comparison as comparison.json: what was asked, what was scored, what may be concluded."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.comparison.answers import Answer, by_fold
from app.comparison.conclusions import (
    NO_TEST_SCORE,
    NOT_INDEPENDENT,
    SCALED,
    conclusion,
    curve_sentence,
    scrambling_sentence,
    shown_name,
)
from app.comparison.findings import findings_of
from app.comparison.folds import Folds, test_to_train
from app.comparison.leaks import cautions
from app.comparison.params import CompareParams, names_of
from app.comparison.sanity import learning_curve, scrambling
from app.comparison.summary import MetricScores, summarize
from app.core.errors import InvalidInput
from app.datasets.records import Dataset
from app.metrics.across_targets import needs_scales
from app.metrics.base import Metric
from app.training.examples import Labels
from app.training.leaks.audit import Audit, easy_split, errors_of
from app.training.scoring import FoldScores, Scorer, mean_baseline

Values = NDArray[np.float64]
METHOD = (
    "Every candidate was fitted and scored on the same folds of repeated cross-validation. Against"
    " knowing only the mean or the majority: one-sided paired t test with the variance of Nadeau"
    " and Bengio (Machine Learning 2003, 52, 239) for folds that share training rows, 1/n +"
    " n_test/n_train in the place of 1/n."
)
METHOD_OF_SEVERAL = (
    " Between candidates: repeated-measures analysis of variance with each fold as a block, then"
    " Tukey's honestly significant difference at 5 % (Ash et al., J. Chem. Inf. Model. 2025,"
    " 10.1021/acs.jcim.5c01609); with the dependence of the folds allowed for, the same test with"
    " the variance of Nadeau and Bengio."
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    params: CompareParams
    dataset: Dataset
    labels: Labels
    folds: Folds
    scorer: Scorer
    #: one for each fit
    answers: Sequence[Answer]
    #: what the plan found
    audit: Audit

    @cached_property
    def names(self) -> list[str]:
        return names_of(self.params.candidates)

    @cached_property
    def places(self) -> dict[tuple[int, int], int]:
        """(repeat, fold) -> row of the score tables."""
        pairs = [(r, f) for r, folds in enumerate(self.folds) for f in range(len(folds))]
        return {pair: place for place, pair in enumerate(pairs)}

    @cached_property
    def test_to_train(self) -> float:
        return test_to_train(self.folds)

    @cached_property
    def baseline(self) -> list[FoldScores]:
        """Of each fold of each repeat."""
        y = self.labels.y
        return [
            self.scorer.baseline(y[fold.train], y[fold.test])
            for repeat in self.folds
            for fold in repeat
        ]

    def of(
        self, candidate: int, *, fraction: float | None = None, permutation: int | None = None
    ) -> list[Answer]:
        """The answers of one candidate of one sort, fold by fold."""
        return [
            answer
            for answer in self.answers
            if (answer.fit.candidate, answer.fit.fraction, answer.fit.permutation)
            == (candidate, fraction, permutation)
        ]

    def scores(self, metric: str, candidate: int, fraction: float | None = None) -> Values:
        return self.by_fold(self.of(candidate, fraction=fraction), metric)

    def by_fold(self, answers: Sequence[Answer], metric: str) -> Values:
        return by_fold(answers, metric, self.places, self.scales[metric])

    @cached_property
    def scales(self) -> dict[str, Values | None]:
        """By metric (targets,): the trivial baseline's error, mean over all folds; None where the
        metric has no unit, or there is one target.
        """
        n_targets, names = len(self.labels.task.targets), [m.name for m in self.scorer.metrics]
        return {
            name: mean_baseline(name, self.baseline) if needs_scales(name, n_targets) else None
            for name in names
        }


def compared(given: Comparison) -> dict[str, Any]:
    """Raises InvalidInput when no candidate could be scored at all."""
    if all(answer.scores is None for answer in given.answers):
        raise InvalidInput(
            f"no candidate could be scored: {given.answers[0].reason}", code="no_trial_succeeded"
        )
    main = given.scorer.metrics[0]
    found = {metric.name: _metric(given, metric) for metric in given.scorer.metrics}
    decided = found[main.name]
    result: dict[str, Any] = {
        **_asked(given),
        "metric": main.name,
        "metrics": found,
        "winner": decided["winner"],
        "conclusion": decided["sentence"],
        "caution": [
            *([NOT_INDEPENDENT.format(n=decided["n_folds"])] if len(given.names) > 1 else []),
            NO_TEST_SCORE,
            *cautions(errors_of(given.audit), easy_split(given.audit)),
            *([SCALED] if decided["scales"] else []),
        ],
        "y_scrambling": _scrambled(given, main),
        "learning_curve": _curves(given, main, shown_name(main.name, decided)),
        "leaks": given.audit.get("leaks"),
        "similarity": given.audit.get("similarity"),
        "method": METHOD + (METHOD_OF_SEVERAL if len(given.names) > 1 else ""),
    }
    result["findings"] = findings_of(given.answers, given.names, given.params, result)
    return result


def _asked(given: Comparison) -> dict[str, Any]:
    params, dataset = given.params, given.dataset
    folds = [fold for repeat in given.folds for fold in repeat]
    return {
        "dataset": {"ref": dataset.ref, "sha256": dataset.sha256},
        "task": given.labels.task.type,
        "targets": list(given.labels.task.targets),
        "split": params.split.model_dump(mode="json"),
        "seed": params.seed,
        "folds": params.folds,
        "repeats": len(given.folds),
        "fold_hashes": [fold.hash for fold in folds],
        "rows": {
            "total": dataset.size,
            "used": len(np.unique(np.concatenate([[*f.train, *f.test] for f in folds]))),
            "train": float(np.mean([len(fold.train) for fold in folds])),
            "test": float(np.mean([len(fold.test) for fold in folds])),
        },
        "test_to_train": given.test_to_train,
        "candidates": {
            name: one.model_dump(mode="json", exclude={"name"})
            for name, one in zip(given.names, params.candidates, strict=True)
        },
        "practical_difference": params.practical_difference,
    }


def _metric(given: Comparison, metric: Metric) -> dict[str, Any]:
    columns = [given.scores(metric.name, number) for number in range(len(given.names))]
    baseline = [
        Answer(fit=a.fit, scores=b) for a, b in zip(given.of(0), given.baseline, strict=True)
    ]
    found = summarize(
        MetricScores(
            metric=metric.name,
            direction=metric.direction,
            names=given.names,
            scores=np.column_stack(columns),
            baseline=given.by_fold(baseline, metric.name),
            test_to_train=given.test_to_train,
        )
    )
    first = metric.name == given.scorer.metrics[0].name
    practical = given.params.practical_difference if first else None
    found["scales"] = _told_scales(given, metric.name)
    return found | conclusion(shown_name(metric.name, found), found, practical)


def _told_scales(given: Comparison, metric: str) -> dict[str, float | None] | None:
    """{target: what its scores were divided by, None where it was left out}."""
    scales = given.scales[metric]
    if scales is None:
        return None
    pairs = zip(given.labels.task.targets, scales.tolist(), strict=True)
    return {target: scale if np.isfinite(scale) else None for target, scale in pairs}


def _sign(metric: Metric) -> int:
    return 1 if metric.direction == "maximize" else -1


def _scrambled(given: Comparison, metric: Metric) -> dict[str, Any]:
    """{candidate: ...} in the first repeat's folds; empty when it was not asked for."""
    told = {}
    first = len(given.folds[0])
    for number, name in enumerate(given.names if given.params.y_scrambling else ()):
        real = given.scores(metric.name, number)[:first]
        permuted = [
            given.by_fold(given.of(number, permutation=draw), metric.name)[:first].mean()
            for draw in range(given.params.y_scrambling)
        ]
        found = scrambling(float(real.mean()), permuted, sign=_sign(metric))
        if found is not None:
            told[name] = found | {"sentence": scrambling_sentence(found)}
    return told


def _curves(given: Comparison, metric: Metric, shown: str) -> dict[str, Any]:
    """{candidate: ...}; empty when it was not asked for."""
    fractions = [*sorted(given.params.learning_curve), None]
    told = {}
    for number, name in enumerate(given.names if len(fractions) > 1 else ()):
        found = learning_curve(
            [fraction or 1.0 for fraction in fractions],
            [given.scores(metric.name, number, fraction) for fraction in fractions],
            [_mean_rows(given.of(number, fraction=fraction)) for fraction in fractions],
            sign=_sign(metric),
            test_to_train=given.test_to_train,
        )
        told[name] = found | {"sentence": curve_sentence(shown, found)}
    return told


def _mean_rows(answers: Sequence[Answer]) -> float:
    return float(np.mean([answer.n_train for answer in answers]))
