"""optimize: an Optuna study whose trials run in parallel; its best parameters train a model."""

from sqlalchemy.orm import Session

from app.core.errors import InvalidInput
from app.core.requests import PluginSpec
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
from app.tuning.params import OptimizeParams


def resolve(
    resources: Resources, session: Session, new: NewJob, params: OptimizeParams
) -> tuple[NewJob, Attach | None]:
    spec = PluginSpec(name=params.algorithm)
    algorithm = check_algorithm(spec, params.task, "/params/algorithm")
    check_features(params.features)
    check_split(params.split)
    if params.metric is not None:
        with field("/params/metric"):
            metrics.get(params.metric)
    limit = resources.settings.max_trials
    if params.n_trials > limit:
        with field("/params/n_trials"):
            raise InvalidInput(
                f"{params.n_trials} trials are more than the {limit} allowed here",
                code="too_many_trials",
                remedy=f"Ask for {limit} or fewer, or the operator for a higher MAX_TRIALS.",
            )
    new = need_dataset(session, new, params.dataset)
    return no_attach(choose_queue(resources, new, algorithm, params))


OPTIMIZE = JobKind(
    name="optimize",
    params=OptimizeParams,
    queue="cpu",
    resolve=resolve,
    only_reads=True,
    divided=True,
)
