"""A run begins: its jobs are stored in the transaction that stores the run, or it has failed."""

import logging

from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.core.errors import RetortError
from app.db.schedules import ScheduleRow, ScheduleRunRow
from app.events.exceeded import tell_if_exceeded
from app.jobs.finish import problem_of
from app.jobs.model import Job
from app.jobs.outages import is_outage
from app.jobs.states import JobState
from app.jobs.submit import store_job
from app.kinds.submission import new_job, preparation, room_of
from app.resources import Resources
from app.schedules.checking import submission_of
from app.schedules.records import database_now
from app.schedules.retraining import NothingNew, store_retraining
from app.schedules.spec import RETRAIN, JobTemplate, RetrainSpec

logger = logging.getLogger(__name__)


def principal_of(row: ScheduleRow) -> Principal:
    """In whose name its jobs run."""
    return Principal(project_id=row.project_id, name=row.created_by)


def begin(
    resources: Resources, session: Session, row: ScheduleRow, run: ScheduleRunRow
) -> list[Job]:
    """The jobs to publish once the transaction is committed. A mistake of the template, which may
    have become one since it was checked, fails the run; an outage is raised.
    """
    labels = {"schedule": row.name, "schedule_run": str(run.id)}
    try:
        with session.begin_nested():
            jobs = _store(resources, session, row, run, labels)
    except NothingNew as error:
        _end(session, run, "skipped")
        run.reason = error.detail
        return []
    except Exception as error:
        if is_outage(error):
            raise
        tell_if_exceeded(resources.database, error)
        if not isinstance(error, RetortError):
            logger.exception("run %s of schedule %s could not begin", run.id, row.name)
        _end(session, run, "failed")
        run.error = dict(problem_of(error))
        run.reason = "its jobs were refused"
        return []
    run.state, run.reason = "running", ""
    run.job_ids = [job.id for job in jobs]
    return [job for job in jobs if job.state is JobState.QUEUED]


def _store(
    resources: Resources,
    session: Session,
    row: ScheduleRow,
    run: ScheduleRunRow,
    labels: dict[str, str],
) -> list[Job]:
    if row.kind == RETRAIN:
        spec = RetrainSpec.model_validate(row.template)
        made = store_retraining(resources, session, principal_of(row), spec, labels)
        run.details = made.details
        return made.jobs
    submission = submission_of(JobTemplate.model_validate(row.template), **labels)
    new = new_job(resources, principal_of(row), submission)
    prepare = preparation(resources, submission)
    return [store_job(session, new, prepare=prepare, room=room_of(resources))]


def _end(session: Session, run: ScheduleRunRow, state: str) -> None:
    run.state, run.finished_at = state, database_now(session)
