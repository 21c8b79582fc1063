"""Jobs that several requests need and one makes: the ingest of a file, first of all."""

import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from app.core.errors import IdempotencyInProgress
from app.core.hashing import content_key
from app.datasets.params import ColumnRole, IngestParams
from app.datasets.records import resolve_dataset
from app.datasets.reuse import ingested_from, name_of_file, newest_version
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.jobs.model import Job
from app.resources import Resources

T = TypeVar("T")

_TRIES = 20
_PAUSE_SECONDS = 0.1

#: stores the job of these params under an idempotency key
SubmitIngest = Callable[[IngestParams, str], Job]


def patiently(submit: Callable[[], T]) -> T:
    """What `submit` gives; while another stores the same under the same key, a little later."""
    for _ in range(_TRIES):
        try:
            return submit()
        except IdempotencyInProgress:
            time.sleep(_PAUSE_SECONDS)
    return submit()


def ingested_once(
    resources: Resources,
    project_id: UUID,
    file: FileRow,
    submit: SubmitIngest,
    *,
    roles: dict[str, ColumnRole] | None = None,
) -> DatasetRow:
    """What the file's content has become, or is becoming; it is not read again. With `roles` a
    version of the data set called like the file, with these roles; without, any data set.
    """
    name = name_of_file(file.name)
    with resources.database.session() as session:
        # in this order: what another makes meanwhile is found, or has the same key
        newest = newest_version(session, project_id, name)
        row = ingested_from(
            session,
            project_id,
            sha256=file.sha256,
            name=None if roles is None else name,
            roles=roles,
        )
    if row is not None:
        return row
    params = IngestParams(file_id=file.id, name=name, roles=roles or {})
    of = content_key([name, file.sha256, roles or {}])
    job = patiently(lambda: submit(params, f"ingest-{of}-{newest or 'first'}"))
    with resources.database.session() as session:
        return resolve_dataset(session, project_id, job.params["dataset_id"])
