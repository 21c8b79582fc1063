"""featurize: a dataset's feature matrix, cached for every later training."""

from sqlalchemy.orm import Session

from app.features.params import FeaturizeParams
from app.jobs.submit import Attach, NewJob
from app.kinds.base import JobKind, no_attach
from app.kinds.references import check_features, need_dataset
from app.resources import Resources


def resolve(
    resources: Resources, session: Session, new: NewJob, params: FeaturizeParams
) -> tuple[NewJob, Attach | None]:
    del resources
    check_features(params.features, to_learn=False)
    return no_attach(need_dataset(session, new, params.dataset))


FEATURIZE = JobKind(
    name="featurize",
    params=FeaturizeParams,
    queue="cpu",
    resolve=resolve,
    only_reads=True,
    divided=True,
)
