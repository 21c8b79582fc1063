"""For Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.dependencies import Caller
from api.rights import Guarded, needs
from api.schemas.problem import PROBLEMS
from api.telemetry import Telemetry
from app.access.rights import Right

router = APIRouter(route_class=Guarded, tags=["admin"], responses=PROBLEMS)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format"}},
    dependencies=[needs(Right.CLUSTER_READ)],
)
def metrics(http: Request, caller: Caller) -> Response:
    """Of this process and of the cluster. Prometheus sends the key as `authorization`."""
    del caller
    telemetry: Telemetry = http.app.state.telemetry
    return Response(telemetry.render(), media_type=CONTENT_TYPE_LATEST)
