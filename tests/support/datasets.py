"""Files and data sets made by the services themselves, in this process."""

import hashlib

from app.core.work import SilentContext
from app.datasets.params import IngestParams
from app.datasets.records import create_dataset
from app.db.base import DEFAULT_PROJECT_ID
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.db.jobs import JobRow
from app.ingestion import service
from tests.support.inprocess import run_fan_out

PROJECT = DEFAULT_PROJECT_ID


def stored_file(resources, content, name="f.csv"):
    """The id of an uploaded file with this content (bytes, str, or a path)."""
    if hasattr(content, "read_bytes"):
        content, name = content.read_bytes(), content.name
    data = content if isinstance(content, bytes) else content.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    resources.storage.write(f"uploads/{sha256}", data)
    with resources.database.session() as session:
        file = FileRow(
            name=name,
            media_type="application/octet-stream",
            size=len(data),
            sha256=sha256,
            storage_key=f"uploads/{sha256}",
        )
        session.add(file)
        session.flush()
        return file.id


def registered(session, name="mols"):
    """A data set of that name that jobs can ask for; nothing of it was read."""
    file = FileRow(name="f", media_type="text/csv", size=1, sha256="0" * 64, storage_key="f")
    session.add(file)
    session.flush()
    session.add(DatasetRow(name=name, number=1, file_id=file.id, manifest_key="m"))


def job_context(resources, kind):
    """The context of work whose outcome can be committed: its job has a row."""
    context = SilentContext(project_id=PROJECT)
    with resources.database.session() as session:
        session.add(JobRow(id=context.job_id, kind=kind, state="running", queue="cpu", params={}))
    return context


def new_dataset(resources, file_id, *, name="d", **options):
    """What an ingest of the file into the next version of `name` takes."""
    with resources.database.session() as session:
        row = create_dataset(
            session, project_id=PROJECT, name=name, file_id=file_id, job_id=None, created_by="t"
        )
        return IngestParams(file_id=file_id, name=name, dataset_id=row.id, **options)


def ingested(resources, content, file_name="f.csv", *, name="d", fail=(), **options):
    """(id of the next version of the data set `name`, result of its ingest). Chunks whose number
    is in `fail` are reported as crashed.
    """
    file_id = stored_file(resources, content, file_name)
    params = new_dataset(resources, file_id, name=name, **options)
    context = SilentContext(project_id=PROJECT)
    outcome = run_fan_out(service, resources, context, params, fail=fail)
    with resources.database.session() as session:
        return params.dataset_id, outcome.result | outcome.commit(session)
