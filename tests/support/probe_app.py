"""The real Celery application with one more kind of job: `probe`, which does what a test asks.

Workers of fault tests are started with `-A tests.support.probe_app`; everything but the work
itself (claim, lease, chord, sweeper, drain) is the product's own code.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from app.core.errors import InvalidInput, Retryable
from app.core.requests import RequestModel
from app.core.work import ChunkSpec, FanOut, Outcome
from app.kinds.base import JobKind, no_attach
from app.kinds.table import KINDS
from workers.celery_app import celery_app
from workers.job_task import run_chunk, run_finalize, run_job, run_plan

# the product's own tasks are not needed, and cost seconds of imports per worker
celery_app.conf.include = ()


class ProbeParams(RequestModel):
    """What to do, and a folder in which each run leaves a trace."""

    folder: str
    seconds: float = 0.0
    #: sleep in C with the interpreter lock held, so that no Python thread runs
    starve: bool = False
    #: obey raise_if_cancelled
    polite: bool = True
    #: hold more and more memory
    hoard: bool = False
    outages: int = 0
    #: the user's mistake
    wrong: bool = False
    chunks: int = 0
    rows: int = 1
    #: chunks that fail, and the last step with them, until the folder holds `mended`
    broken: tuple[int, ...] = ()
    #: chunk number and row that kills the process
    poison: tuple[int, int] | None = None


PROBE = JobKind(
    name="probe",
    params=ProbeParams,
    queue="cpu",
    resolve=lambda _resources, _session, new, _params: no_attach(new),
    divided=True,
)
KINDS["probe"] = PROBE
KINDS["probe_alone"] = JobKind(
    name="probe_alone", params=ProbeParams, queue="cpu", resolve=PROBE.resolve
)


def _trace(params: ProbeParams, name: str) -> int:
    """Append a line to the trace; how many lines it has now."""
    path = Path(params.folder) / name
    with path.open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    return len(path.read_text().splitlines())


def _work(context: Any, params: ProbeParams) -> None:
    if params.starve:
        # a regular expression that backtracks for ages holds the interpreter lock
        import re

        re.match(r"(a+)+$", "a" * 29 + "b")
        return
    hoarded = []
    while params.hoard:
        hoarded.append(bytearray(32 << 20))
        time.sleep(0.05)
    end = time.monotonic() + params.seconds
    while time.monotonic() < end:
        time.sleep(0.05)
        if params.polite:
            context.raise_if_cancelled()


def _run(resources: Any, context: Any, params: ProbeParams) -> Outcome:
    del resources
    if _trace(params, "started") <= params.outages:
        raise Retryable("the probe's service is out", after=0.1)
    if params.wrong:
        raise InvalidInput("what was asked is wrong")
    context.progress(1, 2, message="half")
    _work(context, params)
    return Outcome(result={"pid": os.getpid()})


def _plan(resources: Any, context: Any, params: ProbeParams) -> FanOut:
    del resources, context
    _trace(params, "planned")
    return FanOut(
        chunks=[
            ChunkSpec(source={"n": n}, start_row=0, stop_row=params.rows)
            for n in range(params.chunks)
        ]
    )


def _chunk(resources: Any, context: Any, params: ProbeParams, chunk: ChunkSpec) -> dict[str, Any]:
    del resources
    number = chunk.source["n"]
    _trace(params, f"chunk-{number}")
    if number in params.broken and not (Path(params.folder) / "mended").exists():
        raise RuntimeError("this chunk is broken")
    here = params.poison is not None and params.poison[0] == number
    if here and chunk.start_row <= params.poison[1] < chunk.stop_row:
        os.kill(os.getpid(), signal.SIGSEGV)
    _work(context, params)
    return {"rows": [chunk.start_row, chunk.stop_row]}


def _finalize(resources: Any, context: Any, params: ProbeParams, results: Any) -> Outcome:
    del resources, context
    _trace(params, "finalized")
    if params.broken and any(r.state == "failed" for r in results):
        raise InvalidInput("some chunks are broken")
    failed = [[r.chunk, r.spec.start_row, r.reason] for r in results if r.state == "failed"]
    rows = sum(r.spec.stop_row - r.spec.start_row for r in results)
    return Outcome(result={"chunks": len(results), "rows": rows, "failed": failed})


@celery_app.task(name="retort.probe_alone")
def probe_alone(job_id: str) -> None:
    run_job(job_id, _run)


@celery_app.task(name="retort.probe")
def probe(job_id: str) -> None:
    run_plan(job_id, _plan, _finalize)


@celery_app.task(name="retort.probe_chunk", ignore_result=False)
def probe_chunk(job_id: str, number: int) -> int:
    return run_chunk(job_id, number, _chunk)


@celery_app.task(name="retort.probe_finalize")
def probe_finalize(job_id: str) -> None:
    run_finalize(job_id, _finalize)
