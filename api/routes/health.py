"""Whether the gateway lives, and whether what it stands on answers."""

from collections.abc import Callable

from fastapi import APIRouter, Response

from api.dependencies import WithResources
from api.responses import json_response
from app.resources import Resources

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
def live() -> Response:
    return json_response({"status": "ok"})


@router.get("/ready")
def ready(resources: WithResources) -> Response:
    """503 while Postgres, Redis or the blob store does not answer."""
    checks: dict[str, Callable[[Resources], object]] = {
        "postgres": _postgres,
        "redis": lambda r: r.redis.ping(),
        "storage": lambda r: r.storage.exists("health"),
    }
    found = {name: _check(check, resources) for name, check in checks.items()}
    healthy = all(state == "ok" for state in found.values())
    return json_response(
        {"status": "ok" if healthy else "unavailable", "checks": found},
        status=200 if healthy else 503,
        headers={} if healthy else {"Retry-After": "5"},
    )


def _postgres(resources: Resources) -> None:
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check(check: Callable[[Resources], object], resources: Resources) -> str:
    try:
        check(resources)
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        return type(error).__name__
    return "ok"
