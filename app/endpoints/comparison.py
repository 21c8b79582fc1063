"""Arms side by side, and which differences are real whenever one looks (`sequential`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from app.endpoints import latency
from app.endpoints.disagreement import compare_pairs, error_of
from app.endpoints.metering import Counts
from app.endpoints.sequential import (
    Difference,
    compare_rates,
    mean_difference,
    moments,
    paired_difference,
    wilson,
)

#: the chance that a difference which is none is ever called real
ALPHA = 0.05
#: below which a difference of error rates does not matter, unless the caller says otherwise
PRACTICAL = 0.005


def arm_json(counts: Counts) -> dict[str, Any]:
    """Figures of one arm; the interval of the error rate is for one look (Wilson, 95 %), and the
    percentiles are of requests without cached inputs.
    """
    interval = wilson(counts.errors, counts.requests)
    return {
        "requests": counts.requests,
        "inputs": counts.inputs,
        "errors": counts.errors,
        "error_rate": _share(counts.errors, counts.requests),
        "error_rate_interval": None if interval is None else list(interval),
        "p50_ms": latency.quantile_ms(counts.latency, 0.5),
        "p95_ms": latency.quantile_ms(counts.latency, 0.95),
        "p99_ms": latency.quantile_ms(counts.latency, 0.99),
        "refused_share": _share(counts.refused, counts.inputs),
        "cached_share": _share(counts.cached, counts.inputs),
        "out_of_domain_share": _share(counts.out_of_domain, counts.inputs),
        "fallback_share": _share(counts.fallbacks, counts.requests),
    }


def difference_json(found: Difference) -> dict[str, Any]:
    return {
        "value": found.value,
        "interval": None if found.low is None else [found.low, found.high],
        "p_value": found.p_value,
        "n": list(found.n),
        "is_real": found.is_real,
    }


def compare_arms(first: Counts, second: Counts, *, practical: float = PRACTICAL) -> dict[str, Any]:
    """Second against first: error rates (a difference) and latencies (a ratio of geometric means,
    within 8 %), with advice whether to go on. Latencies are of requests without cached inputs, so
    `n` of their ratio is at most the number of requests.
    """
    errors = compare_rates((first.errors, first.requests), (second.errors, second.requests), ALPHA)
    logs = mean_difference(
        latency.log_moments(first.latency), latency.log_moments(second.latency), ALPHA
    )
    return {
        "error_rate": difference_json(errors) | {"advice": _advice(errors, practical)},
        "latency_ratio": _as_ratio(logs),
    }


def compare_answers(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """How far a shadow's answers lie from the live ones, by target."""
    return {
        found.target: {
            "n": len(found.differences),
            "kind": "different_classes" if found.is_class else "mean_absolute_difference",
            "value": found.value,
        }
        for found in compare_pairs(pairs)
    }


def compare_outcomes(
    rows: Sequence[Mapping[str, Any]], first: UUID, second: UUID
) -> dict[str, Any]:
    """By target, what measured values say: absolute errors (share of wrong classes) of both, and
    whose are smaller. `paired`: on what both have predicted, where there is more of that; else on
    what each has.

    `rows`: as `stored.outcomes_of`.
    """
    errors: dict[str, dict[UUID, dict[Any, float]]] = {}
    for row in rows:
        found = error_of(row["output"], row["target"], number=row["number"], label=row["label"])
        if found is not None and row["model_id"] in (first, second):
            by_model = errors.setdefault(row["target"], {first: {}, second: {}})
            by_model[row["model_id"]][row["id"]] = found
    return {
        target: _outcome(by_model[first], by_model[second])
        for target, by_model in sorted(errors.items())
    }


def _outcome(first: Mapping[Any, float], second: Mapping[Any, float]) -> dict[str, Any]:
    both = sorted(first.keys() & second.keys())
    paired = len(both) > 0 and 2 * len(both) >= min(len(first), len(second))
    if paired:
        found = paired_difference([second[key] - first[key] for key in both], ALPHA)
    else:
        found = mean_difference(
            moments(list(first.values())), moments(list(second.values())), ALPHA
        )
    return {
        "paired": paired,
        "first": _error(first),
        "second": _error(second),
        "difference": difference_json(found),
    }


def _error(errors: Mapping[Any, float]) -> dict[str, Any]:
    n, mean, _ = moments(list(errors.values()))
    return {"n": n, "mean_error": mean if n else None}


def _advice(found: Difference, practical: float) -> str:
    """One sentence: stop or go on."""
    if found.low is None or found.high is None or found.value is None:
        return "go on: one of the arms has had no request"
    if found.is_real:
        worse = "second" if found.value > 0 else "first"
        return f"stop: the {worse} arm fails more often, and the difference is real"
    if -practical < found.low and found.high < practical:
        return f"stop: the arms differ by less than {practical:g}, which was said not to matter"
    return "go on: the requests so far cannot tell the arms apart"


def _as_ratio(found: Difference) -> dict[str, Any]:
    from math import exp

    told = difference_json(found)
    if found.value is not None:
        told["value"] = exp(found.value)
    if found.low is not None and found.high is not None:
        told["interval"] = [exp(found.low), exp(found.high)]
    return told


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
