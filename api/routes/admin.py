"""For the engineer who runs it: queues and workers, from Postgres."""

from typing import Any

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.schemas.problem import PROBLEMS
from app.jobs.store import queue_figures
from app.jobs.workers import alive_workers
from workers.queues import CONTROL, DIVIDED, PREDICT_NOW

router = APIRouter(prefix="/admin", tags=["admin"], responses=PROBLEMS)


@router.get("/queues")
def queues(caller: Caller, resources: WithResources) -> Response:
    """Per queue: jobs queued and running, age of the oldest (s), workers alive. The lines of
    later chunks belong to the queue of their job.
    """
    del caller
    workers_alive = alive_workers(resources.cache)
    figures: dict[str, dict[str, Any]] = {
        row["queue"]: row for row in queue_figures(resources.database)
    }
    items = [
        {
            "queue": name,
            "queued": figures.get(name, {}).get("queued", 0),
            "running": figures.get(name, {}).get("running", 0),
            "oldest_seconds": figures.get(name, {}).get("oldest_seconds", 0.0),
            "workers": sum(name in worker.queues for worker in workers_alive),
        }
        for name in (*DIVIDED, PREDICT_NOW, CONTROL)
    ]
    return json_response({"items": items})


@router.get("/workers")
def workers(caller: Caller, resources: WithResources) -> Response:
    """Workers that told of themselves in the last 30 seconds."""
    del caller
    found = alive_workers(resources.cache)
    return json_response(
        {
            "items": [
                {
                    "name": worker.name,
                    "queues": worker.queues,
                    "processes": worker.processes,
                    "started_at": worker.started_at,
                }
                for worker in found
            ]
        }
    )
