"""What may be used, and what is."""

from fastapi import APIRouter, Request, Response

from api.dependencies import Caller, KeyCache, WithResources
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.problem import PROBLEMS
from api.schemas.quota import QuotaAnswer, QuotaRequest, QuotasAnswer, UsageAnswer, quota_json
from app.access.quotas import quotas_of, set_quota, usage
from app.access.rights import Right
from app.db.projects import ProjectRow

router = APIRouter(route_class=Guarded, tags=["quotas"], responses=PROBLEMS)


@router.get("/usage", response_model=UsageAnswer, dependencies=[needs(Right.READ)])
def get_usage(caller: Caller, resources: WithResources) -> Response:
    """Use against quota, of the caller's project and of what the caller has made."""
    with resources.database.cursor() as cursor:
        return json_response({"items": [vars(use) for use in usage(cursor, caller)]})


@router.get("/admin/quotas", response_model=QuotasAnswer, dependencies=[needs(Right.ACCESS_WRITE)])
def get_quotas(caller: Caller, resources: WithResources) -> Response:
    """Of the project and of each key. Administrators only."""
    with resources.database.session() as session:
        project, keys = quotas_of(session, caller.project_id)
        items = [quota_json("project", project.name, project.quota)]
        items += [quota_json("key", key.name, key.quota) for key in keys]
    return json_response({"items": items})


@router.put("/admin/quotas", response_model=QuotaAnswer, dependencies=[needs(Right.ACCESS_WRITE)])
def put_quota(
    request: QuotaRequest, http: Request, caller: Caller, resources: WithResources
) -> Response:
    """Replace the quota of the project, or of the key that is named. What is over a new quota
    stays; it is checked when jobs are submitted and uploads begin. Administrators only.
    """
    wanted = request.model_dump(exclude={"key"})
    with resources.database.session() as session:
        quota = set_quota(session, caller, request.key, wanted)
        if request.key is None:
            name = session.get_one(ProjectRow, caller.project_id).name
            return json_response(quota_json("project", name, quota))
    # a key's rate holds here at once, in other gateways within five seconds
    keys: KeyCache = http.app.state.keys
    keys.forget()
    return json_response(quota_json("key", request.key.removeprefix("key:"), quota))
