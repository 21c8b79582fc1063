"""compare: candidates on the same folds of repeated cross-validation."""

from sqlalchemy.orm import Session

from app.comparison.fits import most_fits
from app.comparison.params import CompareParams
from app.core.errors import InvalidInput
from app.jobs.submit import Attach, NewJob
from app.kinds.base import JobKind, no_attach
from app.kinds.references import (
    check_algorithm,
    check_features,
    check_split,
    choose_queue,
    field,
    need_dataset,
)
from app.metrics.base import metrics
from app.resources import Resources

#: fits for each trial that a search may have: it folds each of them too
_FITS_PER_TRIAL = 10


def resolve(
    resources: Resources, session: Session, new: NewJob, params: CompareParams
) -> tuple[NewJob, Attach | None]:
    chosen = []
    for number, candidate in enumerate(params.candidates):
        pointer = f"/params/candidates/{number}"
        chosen.append(check_algorithm(candidate.algorithm, params.task, f"{pointer}/algorithm"))
        check_features(candidate.features, pointer)
    check_features(params.features)
    check_split(params.split)
    for number, name in enumerate(params.metrics):
        with field(f"/params/metrics/{number}"):
            metrics.get(name)
    _check_size(resources, params)
    new = need_dataset(session, new, params.dataset)
    of_gpu = [algorithm for algorithm in chosen if algorithm.device == "gpu"]
    spec = params.learning(params.candidates[0])
    return no_attach(choose_queue(resources, new, (of_gpu or chosen)[0], spec))


def _check_size(resources: Resources, params: CompareParams) -> None:
    limit = resources.settings.max_trials * _FITS_PER_TRIAL
    fits = most_fits(params)
    if fits > limit:
        with field("/params/candidates"):
            raise InvalidInput(
                f"{fits} fits are more than the {limit} allowed here",
                code="too_many_trials",
                remedy="Ask for fewer candidates, repeats, permutations or parts of the learning"
                " curve, or the operator for a higher MAX_TRIALS.",
            )


COMPARE = JobKind(
    name="compare",
    params=CompareParams,
    queue="cpu",
    resolve=resolve,
    only_reads=True,
    divided=True,
)
