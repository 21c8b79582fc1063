"""For the engineer who runs it: queues and workers, from Postgres."""

from typing import Any

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.diagnosis import Diagnosis
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.jobs.store import queue_figures
from app.jobs.workers import alive_workers
from workers.doctor.examination import examine
from workers.doctor.finding import worst
from workers.queues import OF_JOBS

router = APIRouter(route_class=Guarded, prefix="/admin", tags=["admin"], responses=PROBLEMS)


@router.get("/queues", dependencies=[needs(Right.CLUSTER_READ)])
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
        for name in OF_JOBS
    ]
    return json_response({"items": items})


@router.get("/workers", dependencies=[needs(Right.CLUSTER_READ)])
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


@router.get("/diagnosis", response_model=Diagnosis, dependencies=[needs(Right.CLUSTER_READ)])
def diagnosis(caller: Caller, resources: WithResources) -> Response:
    """What is wrong with this installation, as this gateway's machine sees it: schema, clocks,
    broker, disk, queues, workers, leases, stuck jobs, settings, files with secrets. Each finding
    says why it matters and what to type.
    """
    del caller
    findings = examine(resources)
    items = [finding.as_dict() for finding in findings]
    return json_response({"state": worst(findings), "items": items})
