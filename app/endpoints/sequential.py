"""Statistics that hold however often somebody looks, and whenever he stops.

An ordinary p value is right for one look at a size chosen before. Who watches a dashboard looks
always, and would see "p < 0.05" by chance sooner or later. These do not wear out: under no
difference, the chance that a p value of theirs *ever* falls below alpha is at most alpha, and an
interval covers the truth at all times at once with probability 1 - alpha.

- Rates (errors, other classes): a mixture of binomial likelihoods is a martingale under the true
  rate (Robbins 1970), so its inverse is an always-valid p value (Ville's inequality); of two arms
  the product is, and the pooled rate is the worst case. Exact at every size, for rare errors too.
- Means (errors of predictions, log latencies): the normal-mixture confidence sequence with the
  variance estimated as it goes (mixture SPRT: Johari, Koomen, Pekelis, Walsh 2017, "Peeking at A/B
  Tests"; Howard, Ramdas, McAuliffe, Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic
  confidence sequences"; the plug-in variance: Waudby-Smith et al. 2024, "Time-uniform central limit
  theory"). Valid in the limit, so nothing is said below `FEWEST` values.

They assume requests that are independent given the arm: many requests of one key count as one
person's habit, not as evidence about everybody.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: the prior of every rate, Beta(1/2, 1/2): at most about half a log(n) nats lost to the best rate
_PRIOR = 0.5
#: values of each arm below which nothing is said about means
FEWEST = 50
#: where intervals of means are as narrow as they can be
_TUNED_FOR = 1_000
_STEPS = 60
_Z = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`value` is second minus first; bounds and p value are always valid. Without bounds: too few
    values to say anything.
    """

    value: float | None
    low: float | None
    high: float | None
    p_value: float
    n: tuple[int, int]

    @property
    def is_real(self) -> bool:
        """At the level that the interval was asked for."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def wilson(events: int, n: int) -> tuple[float, float] | None:
    """95 % interval of one rate, for one look (Wilson 1927)."""
    if n == 0:
        return None
    p, z2 = events / n, _Z * _Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def log_evidence(events: int, n: int, rate: float) -> float:
    """Logarithm of the martingale against `rate`: mixture likelihood over the rate's own."""
    return _mixture(events, n) - _log_likelihood(events, n, rate)


def rate_bounds(events: int, n: int, alpha: float) -> tuple[float, float]:
    """Both bounds of one rate, valid at all times at once with probability 1 - alpha."""
    limit = math.log(1 / alpha)
    at = events / n if n else 0.5
    return _edge(events, n, at, 0.0, limit), _edge(events, n, at, 1.0, limit)


def is_above(events: int, n: int, rate: float, alpha: float) -> bool:
    """Whether the rate is proven to be above `rate` (one-sided, always valid)."""
    return n > 0 and events / n > rate and log_evidence(events, n, rate) >= math.log(1 / alpha)


def compare_rates(first: tuple[int, int], second: tuple[int, int], alpha: float) -> Difference:
    """(events, n) of each arm. The interval holds differences that the evidence does not refuse."""
    (events_1, n_1), (events_2, n_2) = first, second
    if n_1 == 0 or n_2 == 0:
        return Difference(value=None, low=None, high=None, p_value=1.0, n=(n_1, n_2))
    evidence = _evidence_of_difference(first, second)
    low, high = _difference_bounds(first, second, math.log(1 / alpha))
    return Difference(
        value=events_2 / n_2 - events_1 / n_1,
        low=low,
        high=high,
        p_value=min(1.0, math.exp(-evidence)),
        n=(n_1, n_2),
    )


def is_worse(stable: tuple[int, int], canary: tuple[int, int], alpha: float) -> bool:
    """Whether the canary's rate is proven to be above the other's (one-sided, always valid).

    Exact: the worst case of "not above" is both at the pooled rate when the canary looks worse.
    """
    (events_1, n_1), (events_2, n_2) = stable, canary
    if n_1 == 0 or n_2 == 0 or events_2 * n_1 <= events_1 * n_2:
        return False
    return _evidence_of_difference(stable, canary) >= math.log(1 / alpha)


def _evidence_of_difference(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Against one rate of both, at the rate that fits both best."""
    pooled = (first[0] + second[0]) / (first[1] + second[1])
    return log_evidence(*first, pooled) + log_evidence(*second, pooled)


def mean_difference(
    first: tuple[int, float, float], second: tuple[int, float, float], alpha: float
) -> Difference:
    """(n, mean, variance) of two independent arms."""
    (n_1, mean_1, variance_1), (n_2, mean_2, variance_2) = first, second
    if min(n_1, n_2) < FEWEST:
        value = mean_2 - mean_1 if n_1 and n_2 else None
        return Difference(value=value, low=None, high=None, p_value=1.0, n=(n_1, n_2))
    n = n_1 * n_2 / (n_1 + n_2)
    variance = n * (variance_1 / n_1 + variance_2 / n_2)
    return _normal(mean_2 - mean_1, variance, n, alpha, (n_1, n_2))


def paired_difference(differences: Sequence[float], alpha: float) -> Difference:
    """Second minus first of the same inputs."""
    n, mean, variance = moments(differences)
    if n < FEWEST:
        value = mean if n else None
        return Difference(value=value, low=None, high=None, p_value=1.0, n=(n, n))
    return _normal(mean, variance, n, alpha, (n, n))


def moments(values: Sequence[float]) -> tuple[int, float, float]:
    """(n, mean, variance), n-1 in the variance."""
    n = len(values)
    if n == 0:
        return 0, 0.0, 0.0
    mean = math.fsum(values) / n
    if n == 1:
        return 1, mean, 0.0
    return n, mean, math.fsum((x - mean) ** 2 for x in values) / (n - 1)


def _normal(
    value: float, variance: float, n: float, alpha: float, counts: tuple[int, int]
) -> Difference:
    if variance <= 0:  # all alike: there is no noise to judge by
        same = value == 0
        return Difference(
            value=value,
            low=value if same else None,
            high=value if same else None,
            p_value=1.0,
            n=counts,
        )
    rho2 = _rho2(alpha)
    spread = n * rho2 + 1
    half = math.sqrt(variance * 2 * spread / (n * n * rho2) * math.log(math.sqrt(spread) / alpha))
    exponent = n * n * rho2 * value * value / (2 * variance * spread) - 0.5 * math.log(spread)
    return Difference(
        value=value,
        low=value - half,
        high=value + half,
        p_value=min(1.0, math.exp(-exponent)) if exponent > 0 else 1.0,
        n=counts,
    )


def _rho2(alpha: float) -> float:
    """Width of the mixture for which the interval is narrowest at `_TUNED_FOR` values; fixed
    beforehand, or it would not be valid.
    """
    twice = -2 * math.log(alpha)
    return (twice + math.log(twice) + 1) / _TUNED_FOR


def _mixture(events: int, n: int) -> float:
    lgamma = math.lgamma
    a, b = events + _PRIOR, n - events + _PRIOR
    prior = 2 * lgamma(_PRIOR) - lgamma(2 * _PRIOR)
    return lgamma(a) + lgamma(b) - lgamma(a + b) - prior


def _log_likelihood(events: int, n: int, rate: float) -> float:
    """-inf where the rate makes the events impossible."""
    found = 0.0
    for count, share in ((events, rate), (n - events, 1 - rate)):
        if count:
            if share <= 0:
                return -math.inf
            found += count * math.log(share)
    return found


def _edge(events: int, n: int, inside: float, outside: float, limit: float) -> float:
    """The last rate towards `outside` that is not refused, by halving."""
    if log_evidence(events, n, outside) < limit:
        return outside
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if log_evidence(events, n, middle) < limit:
            inside = middle
        else:
            outside = middle
    return outside


def _difference_bounds(
    first: tuple[int, int], second: tuple[int, int], limit: float
) -> tuple[float, float]:
    at = second[0] / second[1] - first[0] / first[1]

    def refused(difference: float) -> bool:
        return _least_evidence(first, second, difference) >= limit

    def edge(outside: float) -> float:
        inside = at
        if not refused(outside):
            return outside
        for _ in range(_STEPS // 2):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if refused(middle) else (middle, outside)
        return outside

    return edge(-1.0), edge(1.0)


def _least_evidence(first: tuple[int, int], second: tuple[int, int], difference: float) -> float:
    """Against every pair of rates with this difference. The evidence is convex in the rate, so
    thirds of the range find its least.
    """
    low, high = max(0.0, -difference), min(1.0, 1 - difference)
    mixtures = _mixture(*first) + _mixture(*second)

    def evidence(rate: float) -> float:
        other = min(1.0, max(0.0, rate + difference))
        return mixtures - _log_likelihood(*first, rate) - _log_likelihood(*second, other)

    for _ in range(_STEPS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if evidence(left) <= evidence(right):
            high = right
        else:
            low = left
    return evidence((low + high) / 2)
