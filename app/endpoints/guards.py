"""Whether a canary may go on: each guard is broken, met, or not clear yet.

*Broken* is said only when it is proven at any moment of looking (`sequential`): all guards of all
steps together raise a false alarm with a chance of at most 5 %. *Met* is what the figures say as
they are, after `min_requests`. Between the two a canary waits: it neither goes on nor back.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.endpoints import latency
from app.endpoints.disagreement import Disagreement
from app.endpoints.metering import Counts
from app.endpoints.sequential import FEWEST, is_above, is_worse, moments, paired_difference
from app.endpoints.spec import CanarySpec, GuardSpec

#: chance that a good canary is ever rolled back by mistake, over all its guards and steps
ALPHA = 0.05
_TAIL = 0.05

Verdict = Literal["met", "unclear", "broken"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    guard: str
    verdict: Verdict
    #: None: not measured yet
    value: float | None
    limit: float | None
    detail: str

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


def look(
    canary: CanarySpec,
    mine: Counts,
    others: Counts,
    disagreements: Sequence[Disagreement],
) -> list[Finding]:
    """`mine`: the canary's counts in this step; `others`: of the other live arms together;
    `disagreements`: with them, in this step.
    """
    guards = canary.guards
    alpha = ALPHA / (len(canary.steps) * max(1, _number(guards)))
    return [
        *_error_rate(guards, mine, alpha),
        *_worse(guards, mine, others, alpha),
        *_p95(guards, mine, alpha),
        *_ratio(guards, mine, others, alpha, canary.min_requests),
        *_apart(guards, disagreements, alpha),
    ]


def _number(guards: GuardSpec) -> int:
    return sum(value is not None and value is not False for _, value in guards)


def _error_rate(guards: GuardSpec, mine: Counts, alpha: float) -> Iterator[Finding]:
    limit = guards.error_rate
    if limit is None:
        return
    rate = mine.errors / mine.requests if mine.requests else None
    broken = is_above(mine.errors, mine.requests, limit, alpha)
    yield _finding("error_rate", rate, limit, f"{mine.errors} of {mine.requests} failed", broken)


def _worse(guards: GuardSpec, mine: Counts, others: Counts, alpha: float) -> Iterator[Finding]:
    """Nothing to compare with is no reason to wait: at 100 percent there is no other arm."""
    if not guards.worse_than_stable:
        return
    broken = is_worse((others.errors, others.requests), (mine.errors, mine.requests), alpha)
    detail = (
        f"{mine.errors} of {mine.requests} failed, of the other arms {others.errors} of "
        f"{others.requests}"
    )
    yield Finding(
        guard="worse_than_stable",
        verdict="broken" if broken else "met",
        value=mine.errors / mine.requests if mine.requests else None,
        limit=others.errors / others.requests if others.requests else None,
        detail=detail,
    )


def _p95(guards: GuardSpec, mine: Counts, alpha: float) -> Iterator[Finding]:
    if guards.p95_ms is not None:
        yield _slow("p95_ms", mine, guards.p95_ms, alpha)


def _ratio(
    guards: GuardSpec, mine: Counts, others: Counts, alpha: float, fewest: int
) -> Iterator[Finding]:
    """The others' percentile counts as known once they have computed `min_requests`."""
    if guards.p95_ratio is None:
        return
    stable = latency.quantile_ms(others.latency, 1 - _TAIL)
    if stable is None:
        every = f": all {others.requests} requests came from the cache" if others.requests else ""
        yield Finding(
            guard="p95_ratio",
            verdict="met",
            value=None,
            limit=guards.p95_ratio,
            detail=f"no other arm to compare with{every}",
        )
        return
    found = _slow("p95_ratio", mine, guards.p95_ratio * stable, alpha)
    if sum(others.latency) < fewest and found.verdict == "broken":
        yield Finding(**{**vars(found), "verdict": "unclear"})
        return
    yield found


def _slow(guard: str, mine: Counts, limit: float, alpha: float) -> Finding:
    """p95 above the limit means: more than 5 percent take longer than the limit, of those that the
    arm has computed. Where the cache knew all of them, none has been slow.
    """
    p95 = latency.quantile_ms(mine.latency, 1 - _TAIL)
    slow = latency.above(mine.latency, limit)
    computed = sum(mine.latency)
    if mine.requests and not computed:
        detail = f"all {mine.requests} requests came from the cache"
        return Finding(guard=guard, verdict="met", value=None, limit=limit, detail=detail)
    broken = is_above(slow, computed, _TAIL, alpha)
    detail = f"{slow} of {computed} computed requests took longer than {limit:.3g} ms"
    return _finding(guard, p95, limit, detail, broken)


def _apart(
    guards: GuardSpec, disagreements: Sequence[Disagreement], alpha: float
) -> Iterator[Finding]:
    """The worst target counts."""
    limit = guards.disagreement
    if limit is None:
        return
    if not disagreements:
        detail = "no input was predicted by both yet"
        yield _finding("disagreement", None, limit, detail, broken=False)
    for found in disagreements:
        detail = f"{found.target}: {len(found.differences)} inputs predicted by both"
        broken = _is_far(found, limit, alpha / len(disagreements))
        yield _finding("disagreement", found.value, limit, detail, broken)


def _is_far(found: Disagreement, limit: float, alpha: float) -> bool:
    if found.is_class:
        return is_above(round(math.fsum(found.differences)), len(found.differences), limit, alpha)
    if moments(found.differences)[0] < FEWEST:
        return False
    low = paired_difference(found.differences, alpha).low
    return low is not None and low > limit


def _finding(guard: str, value: float | None, limit: float, detail: str, broken: bool) -> Finding:
    verdict: Verdict = "unclear"
    if broken:
        verdict = "broken"
    elif value is not None and value <= limit:
        verdict = "met"
    return Finding(guard=guard, verdict=verdict, value=value, limit=limit, detail=detail)
