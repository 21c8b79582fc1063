"""A worker in this process: takes what is queued and runs the very tasks that Celery would."""

import importlib
from typing import Any

from app.kinds import KINDS
from app.resources import Resources


class WorkerHere:
    """`run_all` works until nothing is queued; `ask` makes interactive questions answered here."""

    def __init__(self, resources: Resources) -> None:
        from workers.celery_app import celery_app

        self.resources = resources
        self.celery = celery_app
        for kind in [*KINDS, "interactive"]:
            importlib.import_module(f"tasks.{kind}")

    def run_all(self) -> None:
        while jobs := self._rows("SELECT id, kind FROM jobs WHERE state = 'queued' ORDER BY id"):
            for job in jobs:
                self.run(str(job["id"]), job["kind"])

    def run(self, job_id: str, kind: str) -> None:
        tasks = self.celery.tasks
        tasks[f"retort.{kind}"](job_id)
        if not KINDS[kind].divided:
            return
        query = "SELECT chunk FROM job_chunks WHERE job_id = %s AND state = 'queued' ORDER BY chunk"
        for row in self._rows(query, job_id):
            tasks[f"retort.{kind}_chunk"](job_id, row["chunk"])
        tasks[f"retort.{kind}_finalize"](job_id)

    def send_task(self, name: str, args: tuple[Any, ...], **_: Any) -> None:
        """In the place of `celery_app.send_task`, for `workers.interactive.ask`."""
        self.celery.tasks[name](*args)

    def _rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self.resources.database.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall()
