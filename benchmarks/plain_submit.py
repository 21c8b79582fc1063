"""The plain way to accept a job: one ORM insert and one apply_async in a synchronous route."""

from typing import Any

from celery import Celery
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.core.settings import get_settings
from app.db.base import DEFAULT_PROJECT_ID
from app.db.database import Database
from app.db.jobs import JobRow


class PlainRequest(BaseModel):
    kind: str
    params: dict[str, Any]


def create_plain() -> FastAPI:
    settings = get_settings()
    database = Database(settings.database_url, pool_size=20, max_overflow=20)
    celery = Celery("plain", broker=settings.redis_url)
    celery.conf.task_ignore_result = True

    @celery.task(name="plain.run")
    def run(job_id: str) -> None:
        raise NotImplementedError

    api = FastAPI()

    @api.post("/jobs", status_code=202)
    def submit(request: PlainRequest) -> dict[str, Any]:
        row = JobRow(
            kind=request.kind,
            state="queued",
            queue="plain",
            params=request.params,
            project_id=DEFAULT_PROJECT_ID,
        )
        with Session(database.engine) as session:
            session.add(row)
            session.commit()
            job_id, state = row.id, row.state
        run.apply_async((str(job_id),), queue="plain")
        return {"id": str(job_id), "kind": request.kind, "state": state, "params": request.params}

    return api
