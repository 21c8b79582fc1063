"""`python -m workers.take_one --queue gpu`: claims one queued job of that queue from Postgres, does
it in a child process, ends. No broker is asked. For KEDA's ScaledJob, cron, batch systems.
"""

import argparse
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from uuid import uuid4

from app.core.errors import LostWorker, Problem
from app.jobs.outages import is_outage
from app.jobs.worker_rows import end_claims, put_back_all
from app.resources import Resources, get_resources
from workers import draining
from workers.child import describe_exit, die_with_parent
from workers.child_keeper import WORKER_VARIABLE, ChildKeeper
from workers.logs import configure_logging
from workers.processes import thread_limits
from workers.queues import DIVIDED, consumed_with
from workers.stop_signals import on_stop
from workers.take_one.codes import Code

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_DEFAULT_WAIT_SECONDS = 10.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.take_one", description=__doc__)
    parser.add_argument("--queue", required=True, choices=DIVIDED)
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=_DEFAULT_WAIT_SECONDS,
        help="seconds to wait for a job when none is queued",
    )
    options = parser.parse_args(arguments)
    resources = get_resources()
    configure_logging(resources.settings, role="take-one")
    return TakeOne(resources, options.queue, options.wait).run()


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("give a number of seconds, 0 or more")
    return value


class TakeOne:
    """The parent: it keeps the child's lease and watches over it, as a Celery worker's does."""

    def __init__(self, resources: Resources, queue: str, wait_seconds: float) -> None:
        self._resources, self._queue, self._wait = resources, queue, wait_seconds
        boot_id = uuid4().hex[:8]
        self._name = f"take-one-{queue}@{socket.gethostname()}#{boot_id}"
        os.environ[WORKER_VARIABLE] = self._name
        draining.prepare(boot_id)
        self._child: subprocess.Popen[bytes]
        self._keeper = ChildKeeper(
            self._name, queues=lambda: consumed_with(queue), pids=self._pids, busy_pids=self._pids
        )

    def run(self) -> int:
        """The exit code."""
        on_stop(draining.begin)
        self._child = self._start()
        self._keeper.start(self._resources)
        try:
            code = self._watch()
            return code if code >= 0 else self._died(code)
        finally:
            self._child.kill()
            self._keeper.stop(self._resources)
            draining.end()

    def _start(self) -> "subprocess.Popen[bytes]":
        # a fresh interpreter: a forked one could not use a GPU
        command = [sys.executable, "-m", "workers.take_one.child", self._queue, str(self._wait)]
        return subprocess.Popen(
            command,
            env={**thread_limits(self._resources.settings.worker_threads), **os.environ},
            # of a signal to the whole group only the parent is to hear: it drains in order
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - see workers/child.py
        )

    def _watch(self) -> int:
        """The child's exit code, as `subprocess` has it."""
        limit = self._resources.settings.hard_time_limit
        late = time.monotonic() + self._wait + limit
        while (code := self._child.poll()) is None:
            if time.monotonic() > late:
                self._keeper.end_child(self._resources, self._child.pid, _too_long(limit))
            time.sleep(_LOOK_SECONDS)
        return code

    def _died(self, code: int) -> int:
        """What it held goes back at once; when Postgres does not answer, once the lease is over."""
        logger.warning("the process that did the work ended: %s", describe_exit(code))
        told_to_end = draining.seconds_since_begin() >= 0
        try:
            if told_to_end:
                put_back_all(self._resources.database, self._name)
            else:
                end_claims(self._resources.database, self._name, self._child.pid, None)
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("its work goes back when the lease is over: %s", error)
        return Code.TOLD_TO_END if told_to_end else Code.AGAIN

    def _pids(self) -> list[int]:
        return [self._child.pid] if self._child.poll() is None else []


def _too_long(limit: int) -> Problem:
    return LostWorker(
        f"it took longer than the {limit} s that a run may take, and was killed",
        remedy="Ask for less, or raise RETORT_HARD_TIME_LIMIT.",
    ).problem()


if __name__ == "__main__":
    sys.exit(main())
