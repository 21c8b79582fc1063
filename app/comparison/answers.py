"""What the fits of a comparison have answered, gathered from its chunks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.comparison.fits import Fit
from app.core.work import ChunkResult
from app.metrics.across_targets import mean_of_defined
from app.storage import Storage
from app.training.scoring import FoldScores

Values = NDArray[np.float64]
_NO_ANSWER = "it has no answer"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Of one fit: scores, or why there are none."""

    fit: Fit
    scores: FoldScores | None = None
    reason: str = ""
    #: training rows
    n_train: int = 0
    seconds: float = 0.0


def gathered(storage: Storage, fits: Sequence[Fit], results: Sequence[ChunkResult]) -> list[Answer]:
    """One answer for each fit, in order; of a chunk that crashed: why."""
    answers = [Answer(fit=fit, reason=_NO_ANSWER) for fit in fits]
    for result in results:
        span = range(result.spec.start_row, result.spec.stop_row)
        if result.state == "failed":
            for place in span:
                answers[place] = Answer(fit=fits[place], reason=result.reason or _NO_ANSWER)
            continue
        for place, told in zip(span, orjson.loads(storage.read(result.result["key"])), strict=True):
            answers[place] = Answer(fit=fits[place], **told)
    return answers


def told(answer: Answer) -> dict[str, Any]:
    """JSON of what `gathered` reads; the fit is known by its place."""
    return {name: getattr(answer, name) for name in ("scores", "reason", "n_train", "seconds")}


def over_targets(scores: FoldScores | None, metric: str, scales: Values | None = None) -> float:
    """Mean over the targets where it is defined, each divided by its scale (targets,) where there
    are scales (app/metrics/across_targets.py); NaN where it is nowhere.
    """
    values = (scores or {}).get(metric)
    if not values:
        return float("nan")
    return mean_of_defined(values if scales is None else np.array(values, dtype=float) / scales)


def by_fold(
    answers: Iterable[Answer],
    metric: str,
    places: Mapping[tuple[int, int], int],
    scales: Values | None = None,
) -> Values:
    """(folds of all repeats,) of fits of one candidate of one sort; NaN where there is none."""
    values = np.full(len(places), np.nan)
    for answer in answers:
        place = places[answer.fit.repeat, answer.fit.fold]
        values[place] = over_targets(answer.scores, metric, scales)
    return values
