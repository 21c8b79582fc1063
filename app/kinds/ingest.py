"""ingest: a file becomes the next version of a dataset."""

from sqlalchemy.orm import Session

from app.datasets.params import IngestParams
from app.datasets.records import create_dataset
from app.db.datasets import DatasetRow
from app.jobs.model import Job
from app.jobs.submit import Attach, NewJob, with_params
from app.kinds.base import JobKind
from app.kinds.references import need_file
from app.resources import Resources


def resolve(
    resources: Resources, session: Session, new: NewJob, params: IngestParams
) -> tuple[NewJob, Attach | None]:
    """The dataset row is made with the job, so that its id is known at once."""
    del resources
    need_file(session, new, params.file_id, "/params/file_id")
    row = create_dataset(
        session,
        project_id=new.project_id,
        name=params.name,
        file_id=params.file_id,
        job_id=None,
        created_by=new.created_by,
    )
    session.flush()

    def attach(session: Session, job: Job) -> None:
        session.get_one(DatasetRow, row.id).job_id = job.id

    return with_params(new, dataset_id=str(row.id)), attach


INGEST = JobKind(name="ingest", params=IngestParams, queue="cpu", resolve=resolve, divided=True)
