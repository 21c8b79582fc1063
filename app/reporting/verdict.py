"""What the headline figure is worth, by a rule that the report states.

`gained` is the share of the way from the trivial baseline to perfection: for an error 1 - error /
baseline error, for a score that is at best 1 (score - baseline) / (1 - baseline). So RMSE 0.57
against 2.07 gains 72 %, AUROC 0.84 against 0.5 gains 68 %.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from app.metrics.across_targets import mean_of_defined, needs_scales, one_unit
from app.metrics.base import metrics
from app.metrics.evaluate import default_metric
from app.reporting.stored import StoredModel

Grade = Literal["strong", "useful", "weak", "none", "unknown"]

_STRONG, _USEFUL = 0.5, 0.25

RULE = (
    "The grade is how much of the way from the trivial baseline to a perfect model is covered:"
    " strong from 50 %, useful from 25 %, weak below; none where the 95 % interval of the figure"
    " reaches the baseline. Errors of several targets are graded by the mean of these shares. A"
    " model near the noise ceiling cannot be better. Leaks and an easy split are not in the grade:"
    " they are named beside it, and a leak takes its meaning away."
)
WORDS: dict[Grade, str] = {
    "strong": "Strong",
    "useful": "Useful",
    "weak": "Weak",
    "none": "No better than the baseline",
    "unknown": "Not graded",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    metric: str
    #: {value, ci_low, ci_high}; empty when it was not measured
    figure: Mapping[str, Any]
    baseline: Mapping[str, Any]
    grade: Grade
    #: None when it is not defined
    gained: float | None

    @property
    def measured(self) -> bool:
        return self.figure.get("value") is not None


def judge(model: StoredModel, target: str, part: str = "test") -> Verdict:
    """By the default metric of the task."""
    metric = default_metric(model.task)
    figure = dict(model.section(part, target).get(metric) or {})
    baseline = dict(model.section("baseline", target).get(metric) or {})
    return _judged(metric, figure, baseline)


def unlearned(model: StoredModel) -> dict[str, Verdict]:
    """Targets that are predicted no better than by the baseline."""
    found = {target: judge(model, target) for target in model.targets}
    return {target: verdict for target, verdict in found.items() if verdict.grade == "none"}


def judge_all(model: StoredModel) -> Verdict:
    """The mean over the targets; of one target its own. It is `none` where its interval reaches the
    baseline (releases before have stored none), and where no single target beats its baseline.
    Errors are graded by the mean of what each target gained, and have no mean themselves where
    units differ.
    """
    if len(model.targets) == 1:
        return judge(model, model.targets[0])
    metric = default_metric(model.task)
    each = [judge(model, target) for target in model.targets]
    figure = dict(model.section("mean").get(metric) or {})
    baseline = dict(model.section("baseline_mean").get(metric) or {})
    if needs_scales(metric, len(model.targets)):
        known = [t for t, one in zip(model.targets, each, strict=True) if one.measured]
        if len(known) > 1 and not one_unit(model.unit(target) for target in known):
            figure = baseline = {}  # earlier releases have stored a mean
        mean = _graded(metric, figure, baseline, _mean_gained(each))
    else:
        mean = _judged(metric, figure, baseline)
    if mean.grade != "unknown" and {one.grade for one in each} <= {"none", "unknown"}:
        return replace(mean, grade="none")
    return mean


def _judged(metric: str, figure: Mapping[str, Any], baseline: Mapping[str, Any]) -> Verdict:
    gained = _gained(metric, figure.get("value"), baseline.get("value"))
    found = _graded(metric, figure, baseline, gained)
    if gained is not None and _reaches(metric, figure, baseline["value"]):
        return replace(found, grade="none")
    return found


def _graded(
    metric: str, figure: Mapping[str, Any], baseline: Mapping[str, Any], gained: float | None
) -> Verdict:
    grade: Grade = "unknown"
    if gained is not None:
        grade = "strong" if gained >= _STRONG else "useful" if gained >= _USEFUL else "weak"
        grade = grade if gained > 0 else "none"
    return Verdict(metric=metric, figure=figure, baseline=baseline, grade=grade, gained=gained)


def _mean_gained(each: Sequence[Verdict]) -> float | None:
    """None where no target has a share."""
    mean = mean_of_defined([one.gained for one in each])
    return mean if np.isfinite(mean) else None


def _gained(metric: str, value: float | None, baseline: float | None) -> float | None:
    if value is None or baseline is None:
        return None
    if metrics.get(metric).direction == "minimize":
        return 1 - value / baseline if baseline > 0 else None
    return (value - baseline) / (1 - baseline) if baseline < 1 else None


def _reaches(metric: str, figure: Mapping[str, Any], baseline: float) -> bool:
    """Whether the interval's worse end is no better than the baseline."""
    if metrics.get(metric).direction == "minimize":
        worst = figure.get("ci_high")
        return worst is not None and worst >= baseline
    worst = figure.get("ci_low")
    return worst is not None and worst <= baseline
