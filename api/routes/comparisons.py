"""Predicted values against simulated or measured ones: sent along, or stored here already."""

from typing import Any

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.comparison import ComparisonsAnswer
from api.schemas.problem import PROBLEMS
from app.access.principal import Principal
from app.access.rights import Right
from app.prediction.comparing import compare_items
from app.prediction.comparison_params import ComparisonsRequest
from app.prediction.stored_values import resolve_stored
from app.resources import Resources
from workers.interactive import ask

router = APIRouter(
    route_class=Guarded, prefix="/comparisons", tags=["predictions"], responses=PROBLEMS
)

#: a subtraction each: a worker would take longer to ask
_HERE_ITEMS, _HERE_VALUES = 100, 1_000


@router.post("", response_model=ComparisonsAnswer, dependencies=[needs(Right.READ)])
def compare(request: ComparisonsRequest, caller: Caller, resources: WithResources) -> Response:
    """Error, MAE, RMSE, percent error, a grade with its rule, and advice, for each property in its
    own unit; of values in the request, or of two stored columns (data set, predict job, model).
    """
    timeout = resources.settings.interactive_timeout_seconds
    if request.items is None:
        return json_response(ask(resources, _stored(request, caller, resources), timeout))
    payload = request.model_dump(
        mode="json", include={"items", "units", "reference_units", "tolerances"}
    )
    if len(request.items) <= _HERE_ITEMS and request.n_values <= _HERE_VALUES:
        return json_response(compare_items(payload))
    return json_response(ask(resources, {"question": "compare_items", **payload}, timeout))


def _stored(request: ComparisonsRequest, caller: Principal, resources: Resources) -> dict[str, Any]:
    payload: dict[str, Any] = {"question": "compare_stored", "tolerance": request.tolerance}
    with resources.database.session() as session:
        for side in ("predicted", "reference"):
            given = getattr(request, side)
            payload[side] = resolve_stored(session, caller.project_id, given)
    return payload
