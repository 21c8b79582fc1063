"""What may be concluded, in sentences; a winner only where the difference is real."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.comparison.summary import ALPHA
from app.metrics.across_targets import relative

NOT_INDEPENDENT = (
    "The {n} folds share most of their training rows, so they are no {n} independent experiments: "
    "the intervals of Tukey's test are narrower than what another data set would show. A winner is "
    "named only when the difference holds with that allowed for."
)
NO_TEST_SCORE = (
    "These scores choose between candidates; they are no test score of the one that is chosen. "
    "Train it, and judge it by rows that took no part here."
)
SCALED = (
    "The targets can have different units, so errors are told relative to the baseline: each"
    " target's error is divided by that of knowing only its mean (mean over all folds), and then"
    " the mean over the targets is taken. 0 is perfect, 1 is no better than the baseline."
)


def shown_name(metric: str, found: Mapping[str, Any]) -> str:
    """`rmse`, or what it is of several targets."""
    return relative(metric) if found.get("scales") else metric


def conclusion(
    metric: str, found: Mapping[str, Any], practical: float | None = None
) -> dict[str, Any]:
    """{"winner": name or None, "sentence"} of the summary of one metric. `practical`: a smaller
    difference matters to nobody.
    """
    candidates = found["candidates"]
    if not candidates:
        return _no_winner(f"{metric} is defined on no fold for any candidate.")
    if len(candidates) == 1:
        return _no_winner(_alone(metric, found))
    if not found["pairs"]:
        return _no_winner("One fold is not enough to compare candidates.")
    return _verdict(metric, found, practical)


def _verdict(metric: str, found: Mapping[str, Any], practical: float | None) -> dict[str, Any]:
    best = found["candidates"][0]["name"]
    if not any(beats_baseline(one) for one in found["candidates"]):
        return _no_winner(
            f"No candidate is shown to be better in {metric} than knowing only the mean or the"
            " majority, so it does not matter which of them is best."
        )
    rivals = [pair for pair in found["pairs"] if pair["better"] == best]
    undecided = [pair["worse"] for pair in rivals if not pair["different"]]
    if undecided:
        return _no_winner(_tied(metric, found, best, undecided))
    said = f"{_by(metric, found['direction'], rivals[0])} than {rivals[0]['worse']}"
    p_value = _p(max(pair["folds_dependent"]["p_value"] for pair in rivals))
    unsure = [pair["worse"] for pair in rivals if not pair["folds_dependent"]["different"]]
    if unsure:
        return _no_winner(
            f"{best} scored better than {_listed(unsure)} on these folds ({said}), but with the"
            f" dependence of the folds allowed for that may be chance ({p_value}): prefer"
            f" {best} if it costs nothing, and claim no more."
        )
    others = "the other candidate" if len(rivals) == 1 else "every other candidate"
    if practical is not None and abs(rivals[0]["difference"]) < practical:
        return _no_winner(
            f"{best} is better than {others} ({said}): a real difference, but one below the"
            f" {practical:g} that you said matters."
        )
    next_best = "" if len(rivals) == 1 else ", the next best"
    sentence = (
        f"{best} is better than {others}: {said}{next_best}; the difference holds with the"
        f" dependence of the folds allowed for ({p_value})."
    )
    return {"winner": best, "sentence": sentence}


def _no_winner(sentence: str) -> dict[str, Any]:
    return {"winner": None, "sentence": sentence}


def beats_baseline(candidate: Mapping[str, Any]) -> bool:
    p_value = candidate["p_above_baseline"]
    return p_value is None or p_value < ALPHA


def scrambling_sentence(found: Mapping[str, Any]) -> str:
    n = len(found["scrambled"])
    reached = round(found["p_value"] * (n + 1)) - 1
    if found["p_value"] <= ALPHA:
        return (
            f"{reached or 'None'} of {n} models that learned from permuted labels scored as well"
            f" ({_p(found['p_value'])}): it has learned something that is in the data."
        )
    if found["p_value"] <= found["smallest_p"]:
        return (
            f"It scored better than after each of {n} permutations of the labels; fewer than 19"
            f" cannot show more than {_p(found['smallest_p'])}."
        )
    return (
        f"{reached} of {n} models that learned from permuted labels scored as well"
        f" ({_p(found['p_value'])}): its score may be chance."
    )


def curve_sentence(metric: str, found: Mapping[str, Any]) -> str:
    step = found["last_step"]
    if step is None:
        return "Too few folds have a score to say whether more data would help."
    gained = f"{abs(step['improvement']):.3g} ± {step['standard_error']:.2g}"
    share = f"the step from {100 * step['from']:.0f} % to all of the rows"
    if step["more_data_helps"]:
        doubling = (
            f", at that rate about {step['per_doubling']:.2g} for each doubling"
            if step["per_doubling"]
            else ""
        )
        return (
            f"More data of the same kind would help: {share} still improved {metric} by"
            f" {gained}{doubling}."
        )
    if step["improvement"] < 0:
        return f"More data is not shown to help: {share} made {metric} worse by {gained}."
    return (
        f"Whether more data would help cannot be seen: {share} improved {metric} by {gained},"
        " which is within its error."
    )


def _alone(metric: str, found: Mapping[str, Any]) -> str:
    one, baseline = found["candidates"][0], found["baseline"]["mean"]
    spread = "" if one["std"] is None else f" ± {one['std']:.2g}"
    said = f"{one['name']} has {metric} {one['mean']:.3g}{spread} over {found['n_folds']} folds"
    if baseline is None:
        return f"{said}."
    than = "better than" if beats_baseline(one) else "not better than"
    return f"{said}, {than} the {baseline:.3g} of what knows only the mean or the majority."


def _tied(metric: str, found: Mapping[str, Any], best: str, undecided: Sequence[str]) -> str:
    rest = [one["name"] for one in found["candidates"][1:] if one["name"] not in undecided]
    honest = found["honest_difference"]["folds_independent"]
    worse = f" {_listed(rest)} scored worse on these folds." if rest else ""
    return (
        f"{_listed([best, *undecided])} cannot be told apart by {metric}: their means would have to"
        f" be {honest:.2g} apart.{worse} Choose among them by cost, or by what explains more."
    )


def _by(metric: str, direction: str, pair: Mapping[str, Any]) -> str:
    """`rmse lower by 0.07 [0.05, 0.09]`, the interval of dependent folds."""
    low, high = sorted(abs(pair["folds_dependent"][end]) for end in ("low", "high"))
    word = "lower" if direction == "minimize" else "higher"
    interval = f" [{low:.2g}, {high:.2g}]" if pair["folds_dependent"]["different"] else ""
    return f"{metric} {word} by {abs(pair['difference']):.2g}{interval}"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"  # noqa: PLR2004 - customary


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
