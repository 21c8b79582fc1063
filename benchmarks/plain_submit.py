"""The plain way to accept a job (one ORM insert and one apply_async) and to show it (one ORM get
and a response model), in synchronous routes.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from celery import Celery
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from app.core.settings import get_settings
from app.db.base import DEFAULT_PROJECT_ID
from app.db.database import Database
from app.db.jobs import JobRow


class PlainRequest(BaseModel):
    kind: str
    params: dict[str, Any]


class PlainAnswer(BaseModel):
    """What a poll of ours shows, but for what ours derives (needs, links)."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: str
    state: str
    queue: str
    priority: int
    params: dict[str, Any]
    labels: dict[str, str]
    parent_id: UUID | None
    rerun_of: UUID | None
    progress: dict[str, Any]
    counts: dict[str, int]
    attempt: int
    max_attempts: int
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    warnings: list[dict[str, Any]]
    created_by: str
    correlation_id: str | None
    client_ref: str | None
    created_at: datetime
    run_at: datetime | None
    deadline_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    version: int


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

    @api.get("/jobs/{job_id}")
    def get_one(job_id: UUID) -> PlainAnswer:
        with Session(database.engine) as session:
            row = session.get(JobRow, job_id)
            if row is None:
                raise HTTPException(404)
            return PlainAnswer.model_validate(row)

    return api
