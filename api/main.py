"""The gateway: accepts, reports, never computes. `uvicorn api.main:create_api --factory`."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import errors
from api.dependencies import KeyCache
from api.job_desk import JobDesk
from api.middleware import BodyLimit, RequestFrame
from api.notifier import JobNotifier
from api.predicting.predictor import Predictor
from api.quota_teller import QuotaTeller
from api.rate_limit import RateLimit, RateLimiter
from api.readiness import Readiness
from api.routes import jobs, predictions
from api.routing import PREFIX, install
from api.short_cuts import ShortCuts
from api.strict_json import StrictJson
from api.telemetry import Telemetry
from api.traced import Traced
from app.core.tracing import start_tracing, stop_tracing
from app.resources import Resources, get_resources
from workers.dispatch import Dispatcher
from workers.logs import adopt_uvicorn, configure_logging

_DESCRIPTION = """Submit and poll: post a file, make it a data set, post jobs (ingest, featurize,
train, optimize, compare, predict), follow them by polling, long-poll or server-sent events, and
use the models. Errors are problem details (RFC 9457) with a remedy."""


def create_api(resources: Resources | None = None) -> FastAPI:
    """The application with everything that it keeps for its lifetime."""
    resources = resources or get_resources()
    configure_logging(resources.settings, role="gateway")
    adopt_uvicorn(access_log=resources.settings.access_log)

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        api.state.dispatcher = Dispatcher()
        api.state.predictor = Predictor(resources, api.state.telemetry)
        api.state.notifier = JobNotifier(resources.database)
        api.state.desk = JobDesk(resources, api.state.dispatcher)
        api.state.dispatcher.start()
        api.state.notifier.start(asyncio.get_running_loop())
        await api.state.predictor.start()
        api.state.desk.start()
        await run_in_threadpool(api.openapi)
        # what is there now stays: the collector need not walk through it again and again
        gc.freeze()
        yield
        gc.unfreeze()
        await api.state.predictor.close()
        await api.state.limiter.close()
        api.state.notifier.close()
        api.state.desk.close()
        api.state.readiness.close()
        api.state.quota_teller.close()
        api.state.dispatcher.close()
        stop_tracing()

    api = FastAPI(
        title="Retort",
        version="0.1.0",
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # api.routes.docs: without a content network
        redoc_url=None,
    )
    api.state.resources = resources
    api.state.keys = KeyCache(resources)
    api.state.telemetry = Telemetry(resources)
    api.state.limiter = RateLimiter(resources.settings, api.state.telemetry)
    api.state.readiness = Readiness(resources)
    api.state.quota_teller = QuotaTeller(resources.database)
    errors.install(api)
    install(api, compat=resources.settings.compat_routes)
    api.add_middleware(StrictJson)
    api.add_middleware(BodyLimit, settings=resources.settings, api_path=PREFIX)
    api.add_middleware(
        ShortCuts,
        paths=jobs.short_cuts(PREFIX) | predictions.short_cuts(PREFIX),
        max_body=resources.settings.max_body_bytes,
    )
    api.add_middleware(RateLimit)
    api.add_middleware(
        RequestFrame,
        telemetry=api.state.telemetry,
        hsts_seconds=resources.settings.hsts_seconds,
    )
    if start_tracing(resources.settings, role="gateway"):
        api.add_middleware(Traced)
    return api
