"""Where everything is."""

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.rights import KNOWN, Guarded
from api.schemas.problem import PROBLEMS

router = APIRouter(route_class=Guarded, tags=["root"], responses=PROBLEMS)


@router.get("", dependencies=[KNOWN])
def root(caller: Caller, resources: WithResources) -> Response:
    settings = resources.settings
    return json_response(
        {
            "name": "retort",
            "version": "0.1.0",
            "caller": caller.name,
            "project_id": caller.project_id,
            "links": {
                "docs": "/docs",
                "openapi": "/openapi.json",
                "flower": settings.flower_url or None,
                "mlflow": settings.mlflow_url or None,
                "tensorboard": settings.tensorboard_url or None,
            },
            "limits": {
                "body_bytes": settings.max_body_bytes,
                "upload_bytes": settings.max_upload_bytes,
                "interactive_inputs": settings.max_interactive_inputs,
            },
        }
    )
