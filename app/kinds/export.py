"""export: a model version as one file."""

from sqlalchemy.orm import Session

from app.exporting.params import ExportParams
from app.jobs.submit import Attach, NewJob, with_params
from app.kinds.base import JobKind, no_attach
from app.kinds.references import field
from app.models.records import resolve_model
from app.resources import Resources


def resolve(
    resources: Resources, session: Session, new: NewJob, params: ExportParams
) -> tuple[NewJob, Attach | None]:
    del resources
    with field("/params/model"):
        model = resolve_model(session, new.project_id, params.model)
    return no_attach(with_params(new, model_id=str(model.id)))


EXPORT = JobKind(name="export", params=ExportParams, queue="cpu", resolve=resolve)
