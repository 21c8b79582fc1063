"""import_model: an exported bundle becomes a model version."""

from sqlalchemy.orm import Session

from app.exporting.params import ImportParams
from app.jobs.submit import Attach, NewJob
from app.kinds.base import JobKind, no_attach
from app.kinds.references import need_file
from app.resources import Resources


def resolve(
    resources: Resources, session: Session, new: NewJob, params: ImportParams
) -> tuple[NewJob, Attach | None]:
    del resources
    need_file(session, new, params.file_id, "/params/file_id")
    return no_attach(new)


IMPORT_MODEL = JobKind(name="import_model", params=ImportParams, queue="cpu", resolve=resolve)
