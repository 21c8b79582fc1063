"""A worker in this process: takes what is queued and runs the very tasks that Celery would."""

import importlib
from typing import Any

from app.kinds import KINDS
from app.resources import Resources

INTERACTIVE = ("retort.predict_now", "retort.answer")


class WorkerHere:
    """`run_all` works until nothing is queued; `ask` makes interactive questions answered here."""

    def __init__(self, resources: Resources) -> None:
        from workers.celery_app import TASK_MODULES, celery_app

        self.resources = resources
        self.celery = celery_app
        self._send = celery_app.send_task
        for module in TASK_MODULES:
            importlib.import_module(module)

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

    def answer(self, name: str, args: Any = None, *rest: Any, **options: Any) -> Any:
        """In the place of `celery_app.send_task`: questions are answered at once, here; what is
        sent for a job goes to its queue, where `run_all` does not look.
        """
        if name not in INTERACTIVE:
            return self._send(name, args, *rest, **options)
        return self.celery.tasks[name](*args)

    def _rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self.resources.database.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall()
