"""The gateway: accepts, reports, never computes. `uvicorn api.main:create_api --factory`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import errors
from api.dependencies import KeyCache
from api.middleware import BodyLimit, RequestFrame
from api.notifier import JobNotifier
from api.routes import (
    admin,
    catalog,
    comparisons,
    compat_worker,
    datasets,
    estimates,
    evaluations,
    files,
    health,
    job_actions,
    job_events,
    job_logs,
    jobs,
    models,
    predictions,
    preview,
    problems,
    registry,
    root,
    studies,
    uploads,
    workflows,
)
from api.schemas.examples import add_examples
from api.strict_json import StrictJson
from app.resources import Resources, get_resources
from workers.dispatch import Dispatcher
from workers.logs import configure_logging

PREFIX = "/api/v1"
_DESCRIPTION = """Submit and poll: post a file, make it a data set, post jobs (ingest, featurize,
train, optimize, compare, predict), follow them by polling, long-poll or server-sent events, and
use the models. Errors are problem details (RFC 9457) with a remedy."""


def create_api(resources: Resources | None = None) -> FastAPI:
    """The application with everything that it keeps for its lifetime."""
    resources = resources or get_resources()
    configure_logging(resources.settings.log_level)

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        api.state.dispatcher = Dispatcher()
        api.state.notifier = JobNotifier(resources.database)
        api.state.dispatcher.start()
        api.state.notifier.start(asyncio.get_running_loop())
        yield
        api.state.notifier.close()
        api.state.dispatcher.close()

    api = FastAPI(
        title="Retort",
        version="0.1.0",
        description=_DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
    )
    api.state.resources = resources
    api.state.keys = KeyCache(resources)
    errors.install(api)
    for routes in (
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
        workflows,
        models,
        evaluations,
        registry,
        predictions,
        comparisons,
        studies,
        catalog,
        admin,
    ):
        api.include_router(routes.router, prefix=PREFIX)
    api.include_router(health.router)
    api.include_router(problems.router)
    if resources.settings.compat_routes:
        api.include_router(compat_worker.router)
    add_examples(api)
    api.add_middleware(StrictJson)
    api.add_middleware(BodyLimit, settings=resources.settings, api_path=PREFIX)
    api.add_middleware(RequestFrame)
    return api
