"""predict: a model version over every row of a file, in chunks."""

from sqlalchemy.orm import Session

from app.jobs.submit import Attach, NewJob, with_params
from app.kinds.base import JobKind, no_attach
from app.kinds.references import field, need_dataset, need_file
from app.models.records import resolve_model
from app.prediction.params import PredictParams
from app.resources import Resources


def resolve(
    resources: Resources, session: Session, new: NewJob, params: PredictParams
) -> tuple[NewJob, Attach | None]:
    del resources
    with field("/params/model"):
        model = resolve_model(session, new.project_id, params.model)
    new = with_params(new, model_id=str(model.id))
    if params.dataset is not None:
        return no_attach(need_dataset(session, new, params.dataset))
    if params.file_id is not None:
        need_file(session, new, params.file_id, "/params/file_id")
    return no_attach(new)


PREDICT = JobKind(
    name="predict",
    params=PredictParams,
    queue="predict",
    resolve=resolve,
    only_reads=True,
    divided=True,
)
