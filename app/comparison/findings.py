"""What is wrong with a comparison or with a candidate: told as warnings of the job."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.comparison.answers import Answer
from app.comparison.conclusions import beats_baseline, shown_name
from app.comparison.params import CompareParams
from app.comparison.summary import ALPHA


def findings_of(
    answers: Sequence[Answer],
    names: Sequence[str],
    params: CompareParams,
    result: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """[{code, candidate (or None), detail, remedy}]."""
    return [
        *_equal_repeats(params, result),
        *_failed(answers, names),
        *_left_out(result),
        *_no_better(result),
        *_not_beaten(result),
    ]


def _finding(code: str, candidate: str | None, detail: str, remedy: str) -> dict[str, Any]:
    return {"code": code, "candidate": candidate, "detail": detail, "remedy": remedy}


def _equal_repeats(params: CompareParams, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    made = result["repeats"]
    if made == params.repeats:
        return []
    return [
        _finding(
            "repeats_are_equal",
            None,
            f"{made} of {params.repeats} repeats are used: the split {params.split.name} makes the"
            " same folds for other seeds, and the same evidence is not counted twice",
            "Choose a split with chance in it, or repeats = 1.",
        )
    ]


def _failed(answers: Sequence[Answer], names: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for number, name in enumerate(names):
        lost = [a for a in answers if a.fit.candidate == number and a.scores is None]
        if lost:
            found.append(
                _finding(
                    "fits_failed",
                    name,
                    f"{len(lost)} fits of {name} failed, the first because {lost[0].reason}",
                    "Mend what the reason names, or leave the candidate out.",
                )
            )
    return found


def _left_out(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        _finding(
            "candidate_left_out",
            name,
            f"{name} is not compared by {metric}: it has no score on some folds where others have",
            "See its failed fits; a metric may also be undefined for constant predictions.",
        )
        for metric, told in result["metrics"].items()
        for name in told["left_out"]
    ]


def _no_better(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = result["metrics"][result["metric"]]
    metric = shown_name(result["metric"], told)
    return [
        _finding(
            "no_better_than_baseline",
            one["name"],
            f"{one['name']} is not shown to be better than knowing only the mean or the majority:"
            f" {metric} {one['mean']:.3g} against {told['baseline']['mean']:.3g}"
            f" (p = {one['p_above_baseline']:.2g})",
            "Look at the labels and the features before at the algorithm.",
        )
        for one in told["candidates"]
        if not beats_baseline(one)
    ]


def _not_beaten(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        _finding(
            "no_better_than_scrambled",
            name,
            f"{name} scores no better than models that learned from permuted labels"
            f" (p = {told['p_value']:.2g})",
            "Its score may be chance: look at the labels, and use fewer features or more rows.",
        )
        for name, told in result["y_scrambling"].items()
        if told["p_value"] > max(ALPHA, told["smallest_p"])
    ]
