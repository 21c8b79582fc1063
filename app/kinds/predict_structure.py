"""predict_structure: one molecule by several models."""

from sqlalchemy.orm import Session

from app.jobs.submit import Attach, NewJob, with_params
from app.kinds.base import JobKind, no_attach
from app.kinds.references import field
from app.models.records import resolve_model
from app.prediction.structure_params import PredictStructureParams
from app.resources import Resources


def resolve(
    resources: Resources, session: Session, new: NewJob, params: PredictStructureParams
) -> tuple[NewJob, Attach | None]:
    del resources
    ids = []
    for number, ref in enumerate(params.models):
        with field(f"/params/models/{number}"):
            ids.append(str(resolve_model(session, new.project_id, ref).id))
    return no_attach(with_params(new, model_ids=ids))


PREDICT_STRUCTURE = JobKind(
    name="predict_structure",
    params=PredictStructureParams,
    queue="predict",
    resolve=resolve,
    only_reads=True,
)
