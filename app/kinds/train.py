"""train: one algorithm on one split becomes a model version."""

from sqlalchemy.orm import Session

from app.jobs.submit import Attach, NewJob
from app.kinds.base import JobKind, no_attach
from app.kinds.references import (
    check_algorithm,
    check_features,
    check_split,
    choose_queue,
    need_dataset,
)
from app.resources import Resources
from app.training.params import TrainParams


def resolve(
    resources: Resources, session: Session, new: NewJob, params: TrainParams
) -> tuple[NewJob, Attach | None]:
    algorithm = check_algorithm(params.algorithm, params.task, "/params/algorithm")
    check_features(params.features)
    check_split(params.split)
    new = need_dataset(session, new, params.dataset)
    return no_attach(choose_queue(resources, new, algorithm, params))


TRAIN = JobKind(name="train", params=TrainParams, queue="cpu", resolve=resolve, only_reads=True)
