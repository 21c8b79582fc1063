"""Every route of the gateway and the OpenAPI document of them, worked out once per process.

FastAPI works out the parameters and models of included routes for each application anew, at its
first request: more than a second for ours, and another for the document. Neither depends on the
application, so all applications of a process (those of the tests) share them, and the gateway
prepares them before it is asked.
"""

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from api.documented import with_surroundings
from api.offered import Offered, Refusal
from api.routes import (
    admin,
    aliases,
    audit,
    catalog,
    comparisons,
    compat_osdr,
    compat_worker,
    datasets,
    docs,
    endpoint_watching,
    endpoints,
    estimates,
    evaluations,
    event_schemas,
    events,
    files,
    health,
    job_actions,
    job_events,
    job_logs,
    job_predictions,
    jobs,
    keys,
    metrics,
    model_states,
    model_transfer,
    models,
    prediction_cache,
    prediction_history,
    predictions,
    preview,
    problems,
    quotas,
    registry,
    root,
    schedule_decisions,
    schedules,
    studies,
    uploads,
    webhook_deliveries,
    webhooks,
    workflows,
)
from api.schemas.examples import with_examples

PREFIX = "/api/v1"
#: by whether the routes of other systems are among them
_documents: dict[bool, dict[str, Any]] = {}


def install(api: FastAPI, *, compat: bool) -> None:
    """`compat`: also the routes of the systems that Retort replaces. After this `api.openapi()`
    does all that is slow; more calls cost nothing.
    """
    api.router.routes.extend(_routes(compat))
    api.state.offered = _offered(compat)
    plain = api.openapi

    def openapi() -> dict[str, Any]:
        if compat not in _documents:
            _documents[compat] = with_examples(with_surroundings(plain()))
        return _documents[compat]

    api.openapi = openapi  # type: ignore[method-assign]


@cache
def _routes(compat: bool) -> tuple[BaseRoute, ...]:
    """In the order in which they are tried."""
    return (Refusal(_offered(compat)), *_answering(compat))


@cache
def _offered(compat: bool) -> Offered:
    return Offered(_answering(compat))


@cache
def _answering(compat: bool) -> tuple[BaseRoute, ...]:
    every = APIRouter()
    for module in (
        root,
        uploads,  # before /files/{id}
        files,
        preview,
        datasets,
        jobs,
        estimates,
        job_actions,
        job_events,
        job_logs,
        job_predictions,
        workflows,
        models,
        model_states,
        model_transfer,
        evaluations,
        registry,
        endpoints,
        endpoint_watching,
        aliases,
        predictions,
        prediction_history,
        prediction_cache,
        comparisons,
        studies,
        catalog,
        events,
        webhooks,
        webhook_deliveries,
        admin,
        keys,
        audit,
        quotas,
        schedules,
        schedule_decisions,
    ):
        every.include_router(module.router, prefix=PREFIX)
    for module in (docs, health, metrics, problems, event_schemas):
        every.include_router(module.router)
    if compat:
        every.include_router(compat_worker.router)
        every.include_router(compat_osdr.router)
    return tuple(every.routes)
