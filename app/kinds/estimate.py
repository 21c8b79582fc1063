"""How long a job would take and how much memory, from what similar ones of the project took.

The nearest earlier jobs of the same kind and algorithm (by size, then by features and other
parameters, then by whether the features were cached already), their times scaled to the new size
by the power law that the project's own jobs follow. No history: no number.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypedDict

from psycopg.types.json import Jsonb

from app.access.principal import Principal
from app.jobs.history import PastJob, past_jobs, size_of
from app.kinds.base import RESOLVED
from app.kinds.submission import Submission, check
from app.resources import Resources

#: how many of the nearest jobs speak
_NEAREST = 5
#: how time and memory grow with size when the history does not tell: most jobs have a part that
#: does not grow
_GROWTH = 0.7
_MEMORY_GROWTH = 0.3
#: to learn the growth: so many jobs, of sizes so far apart
_MIN_JOBS, _MIN_SPREAD = 4, 3.0
#: a range is never narrower than this around the typical value
_NARROWEST = 1.25
#: what rows are multiplied with
_MULTIPLIED = {"optimize": " x trials x folds", "compare": " x candidates x folds"}
#: what makes two jobs less alike, beside the logarithm of their sizes' ratio
_OTHER_FEATURES, _OTHER_CACHE, _OTHER_PARAMS = 1.0, 1.5, 0.3
#: jobs that leave features behind for the next
_FEATURIZING = frozenset({"featurize", "train", "optimize", "compare"})
#: say nothing about the effort
_NAMES = frozenset({"name", "alias", "seed", "dataset", "model", "file_id", *RESOLVED})


class Range(TypedDict):
    low: float
    typical: float
    high: float


class Basis(TypedDict):
    #: how many earlier jobs the numbers come from
    jobs: int
    how: str


class Estimate(TypedDict):
    #: None: no earlier job to learn from
    seconds: Range | None
    peak_memory_bytes: Range | None
    basis: Basis


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The job to come."""

    kind: str
    params: dict[str, Any]
    rows: int | None
    file_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class _Similar:
    job: PastJob
    distance: float
    size: float


def estimate(resources: Resources, principal: Principal, submission: Submission) -> Estimate:
    """Raises as submitting it would."""
    params = check(resources, principal, submission)
    with resources.database.cursor() as cursor:
        rows, file_bytes = size_of(cursor, Jsonb(params))
    asked = Asked(kind=submission.kind, params=params, rows=rows, file_bytes=file_bytes)
    return estimate_from(asked, past_jobs(resources.database, principal.project_id))


def estimate_from(asked: Asked, history: Sequence[PastJob]) -> Estimate:
    """`history`: newest first."""
    similar = _similar(asked, history)
    if not similar:
        how = f"no {asked.kind} job{_of_algorithm(asked.params)} has succeeded in this project yet"
        return Estimate(seconds=None, peak_memory_bytes=None, basis=Basis(jobs=0, how=how))
    nearest = similar[:_NEAREST]
    size = _size(asked)
    seconds = _range(similar, nearest, size, lambda job: job.seconds, _GROWTH)
    measured = [one for one in nearest if one.job.peak_memory_bytes]
    memory = None
    if measured:
        memory = _range(
            measured, measured, size, lambda job: float(job.peak_memory_bytes or 0), _MEMORY_GROWTH
        )
    return Estimate(
        seconds=seconds,
        peak_memory_bytes=memory,
        basis=Basis(jobs=len(nearest), how=_how(asked, nearest, size)),
    )


def _similar(asked: Asked, history: Sequence[PastJob]) -> list[_Similar]:
    """Nearest first; of equals the newest."""
    size, found = _size(asked), []
    warm = _leaves(asked.kind, asked.params) in {_leaves(j.kind, j.params) for j in history}
    for number, job in enumerate(history):
        if job.kind != asked.kind or _algorithm(job.params) != _algorithm(asked.params):
            continue
        before = {_leaves(one.kind, one.params) for one in history[number + 1 :]}
        its_size = _size(job)
        distance = abs(math.log(size / its_size)) if size and its_size else 0.0
        distance += _OTHER_FEATURES * (job.params.get("features") != asked.params.get("features"))
        distance += _OTHER_CACHE * ((_leaves(job.kind, job.params) in before) != warm)
        distance += _OTHER_PARAMS * (_effort(job.params) != _effort(asked.params))
        found.append(_Similar(job=job, distance=distance, size=its_size))
    return sorted(found, key=lambda one: one.distance)


def _size(job: PastJob | Asked) -> float:
    """What the effort grows with; 0: unknown."""
    if job.kind in ("ingest", "predict"):
        return float(job.file_bytes or 0)
    return float((job.rows or 0) * _fits(job.params))


def _fits(params: dict[str, Any]) -> int:
    """Trials of a search, or candidates of a comparison, times folds and what else is fitted."""
    folds = params.get("folds", 1)
    each = folds * params.get("repeats", 1) * (1 + sum(params.get("learning_curve") or ()))
    each += folds * params.get("y_scrambling", 0)
    return int(each * params.get("n_trials", 1) * len(params.get("candidates") or [None]))


def _algorithm(params: dict[str, Any]) -> Any:
    if isinstance(candidates := params.get("candidates"), list):
        return " and ".join(sorted({str(_name_of(one.get("algorithm"))) for one in candidates}))
    return _name_of(params.get("algorithm"))


def _name_of(spec: Any) -> Any:
    return spec.get("name") if isinstance(spec, dict) else spec


def _of_algorithm(params: dict[str, Any]) -> str:
    name = _algorithm(params)
    return f" with {name}" if isinstance(name, str) else ""


def _leaves(kind: str, params: dict[str, Any]) -> str | None:
    """Names the features that such a job leaves in the cache, or finds there."""
    if kind not in _FEATURIZING:
        return None
    return f"{params.get('dataset_id')} {params.get('features')}"


def _effort(params: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in params.items() if k not in _NAMES and k != "features"}


def _range(
    similar: Sequence[_Similar],
    nearest: Sequence[_Similar],
    size: float,
    value: Callable[[PastJob], float],
    growth: float,
) -> Range:
    """Of the nearest, scaled to `size`, those that are nearer counting more."""
    power = _power(similar, value, growth)
    scaled = [
        value(one.job) * ((size / one.size) ** power if size and one.size else 1.0)
        for one in nearest
    ]
    weights = [1.0 / (0.1 + one.distance) for one in nearest]
    typical = _weighted_median(scaled, weights)
    return Range(
        low=_shown(min(*scaled, typical / _NARROWEST)),
        typical=_shown(typical),
        high=_shown(max(*scaled, typical * _NARROWEST)),
    )


def _shown(value: float) -> float:
    """No more digits than are meant."""
    return round(value, max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0)


def _power(similar: Sequence[_Similar], value: Callable[[PastJob], float], default: float) -> float:
    """How the value grows with the size: the median slope between all pairs of jobs (Theil 1950,
    Sen 1968) in logarithms; `default` while there are too few.
    """
    points = sorted((math.log(one.size), math.log(value(one.job))) for one in similar if one.size)
    if len(points) < _MIN_JOBS or points[-1][0] - points[0][0] < math.log(_MIN_SPREAD):
        return default
    slopes = [
        (second[1] - first[1]) / (second[0] - first[0])
        for number, first in enumerate(points)
        for second in points[number + 1 :]
        if second[0] - first[0] > math.log(_NARROWEST)
    ]
    return min(1.5, max(0.0, statistics.median(slopes))) if slopes else default


def _weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    """Between the two values where half of the weight is passed."""
    pairs = sorted(zip(values, weights, strict=True))
    if len(pairs) == 1:
        return pairs[0][0]
    places, passed = [], 0.0
    for _, weight in pairs:
        places.append(passed + weight / 2)
        passed += weight
    half = passed / 2
    for (left, right), ((low, _), (high, _)) in zip(pairwise(places), pairwise(pairs), strict=True):
        if left <= half <= right:
            return low + (high - low) * (half - left) / (right - left)
    return pairs[0][0] if half < places[0] else pairs[-1][0]


def _how(asked: Asked, nearest: Sequence[_Similar], size: float) -> str:
    count = len(nearest)
    jobs = f"the {count} most similar {asked.kind} jobs" if count > 1 else f"one {asked.kind} job"
    sizes = sorted(one.size for one in nearest if one.size)
    if not size or not sizes:
        return f"{jobs}{_of_algorithm(asked.params)} of this project; their sizes are not known"
    unit = "bytes" if asked.kind in ("ingest", "predict") else "rows"
    unit += _MULTIPLIED.get(asked.kind, "")
    return (
        f"{jobs}{_of_algorithm(asked.params)} of this project, {sizes[0]:,.0f} to"
        f" {sizes[-1]:,.0f} {unit}, scaled to {size:,.0f}"
    )
