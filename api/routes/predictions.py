"""A few molecules or rows, answered at once by warm serving processes."""

import re
import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request, Response
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from api.dependencies import Caller, WithDispatcher, WithResources, recent_caller
from api.predicting.as_job import submit_as_job
from api.predicting.predictor import Predictor
from api.predicting.request import Asked, Inputs, Predicted
from api.responses import json_response, preferred_wait
from api.rights import Guarded, needs
from api.schemas.job import job_json
from api.schemas.prediction import PredictionsAnswer
from api.schemas.problem import PROBLEMS
from api.short_cuts import Short, ShortPaths, ordinary_body
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import FieldError, InvalidInput, Overloaded, Unavailable
from app.endpoints.routing import Arm
from app.prediction.answer_cache import join, shown_input
from app.prediction.params import PredictionsRequest

_LONGEST_KEY = 500

router = APIRouter(
    route_class=Guarded, prefix="/predictions", tags=["predictions"], responses=PROBLEMS
)

Prefer = Annotated[
    str | None,
    Header(
        description="wait=N: give up after N seconds, at most 60; respond-async: a `predict` job "
        "instead of an answer"
    ),
]
StickyKey = Annotated[
    str | None,
    Header(
        alias="X-Retort-Key",
        max_length=_LONGEST_KEY,
        description="of an endpoint: requests with the same key are answered by the same model",
    ),
]
_ASYNC = re.compile(r"\brespond-async\b")


@router.post(
    "",
    response_model=PredictionsAnswer,
    responses={202: {"description": "a `predict` job was made of it; its address is in Location"}},
    dependencies=[needs(Right.PREDICT)],
)
async def predict(
    request: PredictionsRequest,
    http: Request,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    prefer: Prefer = None,
    sticky_key: StickyKey = None,
) -> Response:
    """In input order; a molecule that cannot be predicted says why and fails nothing else.

    With `fallback: job` what cannot be answered in time becomes a `predict` job (202), as it does
    at once with `Prefer: respond-async`.
    """
    inputs = _plain(request)
    as_job = request.fallback == "job"
    asked = _asked(http, caller, request, inputs, preferred_wait(prefer), sticky_key)

    async def instead() -> Response:
        model = await http.app.state.predictor.model_of(asked)
        submitted = await run_in_threadpool(
            submit_as_job, resources, caller, dispatcher, model, inputs
        )
        headers = {"Location": f"/api/v1/jobs/{submitted.job.id}", "Retry-After": "1"}
        return json_response(job_json(submitted.job), status=202, headers=headers)

    if _ASYNC.search(prefer or ""):
        return await instead()
    limit = resources.settings.max_interactive_inputs
    if len(inputs) > limit:
        if as_job:
            return await instead()
        raise _too_many(len(inputs), limit)
    try:
        return await _answer(http, asked)
    except (Overloaded, Unavailable):
        if not as_job:
            raise
        return await instead()


def _asked(
    http: Request,
    caller: Principal,
    request: PredictionsRequest,
    inputs: list[dict[str, Any]],
    seconds: float | None,
    sticky_key: str | None,
) -> Asked:
    return Asked(
        caller=caller,
        ref=request.model,
        inputs=inputs,
        seconds=seconds or http.app.state.resources.settings.interactive_timeout_seconds,
        request_id=http.state.request_id,
        use_cache=not request.force_recompute,
        remember=request.remember,
        sticky_header=sticky_key,
        sticky_field=request.sticky_key,
    )


async def _answer(http: Request, asked: Asked) -> Response:
    started = time.perf_counter()
    predictor: Predictor = http.app.state.predictor
    found = await predictor.predict(asked)
    return Response(_body(found, asked.inputs, started), media_type="application/json")


def _plain(request: PredictionsRequest) -> list[dict[str, Any]]:
    return [{"smiles": i} if isinstance(i, str) else i.model_dump() for i in request.inputs]


def _body(found: Predicted, inputs: Inputs, started: float) -> bytes:
    items = [
        join(given.get("id"), shown_input(given), item, cached=cached)
        for given, item, cached in zip(inputs, found.items, found.cached, strict=True)
    ]
    about = {"milliseconds": round(1000 * (time.perf_counter() - started), 2)}
    return b"".join(
        (
            b'{"model":',
            orjson.dumps(_named(found.model)),
            b',"predictions":[',
            b",".join(items),
            b"],",
            orjson.dumps(_about_endpoint(found) | about)[1:],
        )
    )


def _about_endpoint(found: Predicted) -> dict[str, Any]:
    if found.revision is None:
        return {}
    told: dict[str, Any] = {
        "endpoint": {"name": found.revision.name, "revision": found.revision.number}
    }
    if found.fallback is not None:
        arm, cause, places = found.fallback
        told["fallback"] = {"model": _named(arm), "cause": cause, "inputs": list(places)}
    return told


def _named(arm: Arm) -> dict[str, Any]:
    return {"id": arm.model_id, "name": arm.name, "number": arm.number}


def _too_many(n: int, limit: int) -> InvalidInput:
    detail = f"{n} inputs are more than the {limit} answered at once"
    return InvalidInput(
        detail,
        code="too_many_inputs",
        remedy="Upload them as a file and post a job of kind predict, or ask for `fallback: job`.",
        errors=[FieldError(pointer="/inputs", code="too_long", detail=detail)],
    )


# ---- the same without the framework (api/short_cuts.py)


def short_cuts(prefix: str) -> ShortPaths:
    """Predict, under the path where the route is."""
    path = f"{prefix}{router.prefix}"
    return ShortPaths(exact={("POST", path): Short(_predict_short, router.prefix)}, below={})


async def _predict_short(http: Request, body: bytes) -> Response | None:
    caller, sticky = recent_caller(http, Right.PREDICT), http.headers.getlist("x-retort-key")
    if caller is None or len(sticky) > 1 or any(len(text) > _LONGEST_KEY for text in sticky):
        return None
    request = ordinary_body(http, body, _REQUEST)
    limit = http.app.state.resources.settings.max_interactive_inputs
    if request is None or request.fallback == "job" or len(request.inputs) > limit:
        return None
    key = sticky[0] if sticky else None
    return await _answer(http, _asked(http, caller, request, _plain(request), None, key))


_REQUEST: TypeAdapter[PredictionsRequest] = TypeAdapter(PredictionsRequest)
