"""Whether the gateway lives, and whether it can do its work. Nobody needs a key for this.

`/healthz` and `/readyz` are the names that Kubernetes' own programs have; they answer the same.
"""

from fastapi import APIRouter, Request, Response

from api.readiness import BROKER, Readiness
from api.responses import json_response
from api.rights import OPEN, Guarded

router = APIRouter(route_class=Guarded, tags=["health"])


@router.get("/healthz", include_in_schema=False, dependencies=[OPEN])
@router.get("/health/live", dependencies=[OPEN])
def live() -> Response:
    """This process answers; it asks nobody else."""
    return json_response({"status": "ok"})


@router.get("/readyz", include_in_schema=False, dependencies=[OPEN])
@router.get(
    "/health/ready",
    responses={503: {"description": "Something does not answer"}},
    dependencies=[OPEN],
)
def ready(http: Request) -> Response:
    """503 while Postgres, Redis or the blob store does not answer, cannot be written to, or the
    database lacks migrations; `checks` says what is wrong, `milliseconds` how long each took.

    A broker beside Redis (RabbitMQ) is told of only: jobs are accepted without it and wait.
    """
    readiness: Readiness = http.app.state.readiness
    found = readiness.look()
    healthy = all(checked.said == "ok" for name, checked in found.items() if name != BROKER)
    return json_response(
        {
            "status": "ok" if healthy else "unavailable",
            "checks": {name: checked.said for name, checked in found.items()},
            "milliseconds": {name: checked.milliseconds for name, checked in found.items()},
        },
        status=200 if healthy else 503,
        headers={} if healthy else {"Retry-After": "5"},
    )
