"""The serving processes of the `interactive` worker: started, watched, started again.

What a process was working on when it died is asked again, by itself, then input by input, until the
one that kills is found: it is refused with the reason, and everything else is answered. What only
waited in the process is asked again as it was.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import redis
from celery import bootsteps

from app.core.errors import InternalError
from app.core.settings import Settings
from app.resources import Resources, get_resources
from workers.child import describe_exit, die_with_parent, kill_group
from workers.memory import child_limit, resident_bytes
from workers.processes import available_cores, thread_limits
from workers.queues import PREDICT_NOW
from workers.serving.in_hand import InHandFile
from workers.serving.protocol import (
    ASKED_AGAIN,
    DEATHS,
    REPLY_TTL,
    Answer,
    Question,
    encode_answers,
)

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
_STOP_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
#: a process that lived so long did not die of starting
_WELL_SECONDS = 30.0
#: deaths after which a question is given up
_MAX_DEATHS = 4


def process_count(settings: Settings) -> int:
    """As configured, else half of the cores, but two at least where there are two: while one
    answers, the other takes what has gathered.
    """
    cores = available_cores()
    return settings.serving_processes or min(cores, max(2, cores // 2))


class ServingStep(bootsteps.StartStopStep):
    """In the worker that consumes PREDICT_NOW; in others it does nothing."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: Any) -> None:
        super().__init__(worker)
        self._processes: list[ServingProcess] = []

    def create(self, worker: Any) -> None:
        """Nothing to build: the processes start with the worker."""

    def start(self, worker: Any) -> None:
        if PREDICT_NOW not in worker.app.amqp.queues.consume_from:
            return
        resources = get_resources()
        _tell_start(resources)
        self._processes = [
            ServingProcess(resources, first=n == 0)
            for n in range(process_count(resources.settings))
        ]
        for process in self._processes:
            process.start()

    def stop(self, worker: Any) -> None:
        """Each ends its micro-batch; what is still in the lists is for others."""
        del worker
        for process in self._processes:
            process.begin_stop()
        for process in self._processes:
            process.join()

    def terminate(self, worker: Any) -> None:
        self.stop(worker)


class ServingProcess:
    """One process and the thread that keeps it alive (the kernel ends it with that thread)."""

    def __init__(self, resources: Resources, *, first: bool = True) -> None:
        """`first`: the one of its worker that takes FIRST."""
        self._resources = resources
        self._first = first
        self._memory_limit = child_limit(resources.settings.max_child_memory_bytes)
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._in_hand: InHandFile
        self._killed_for = ""
        #: it listens for questions
        self.ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="serving", daemon=True)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        self._thread.start()

    def begin_stop(self) -> None:
        self._stopping.set()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def join(self) -> None:
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive() and self._process is not None:
            kill_group(self._process.pid)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                ended = describe_exit(self._live())
            except Exception:
                # of the watch itself: with this thread would go the process, for ever
                logger.exception("a serving process could not be watched")
                ended = "nobody watched it"
            if self._stopping.is_set():
                return
            pause = _FIRST_PAUSE if time.monotonic() - started > _WELL_SECONDS else 2 * pause
            logger.warning("a serving process ended (%s); a new one starts", ended)
            self._stopping.wait(min(pause, _LONGEST_PAUSE))

    def _live(self) -> int:
        """One process, from its start to its end, and what it leaves is asked again."""
        self._killed_for = ""
        self.ready.clear()
        self._in_hand = InHandFile.create()
        descriptor = self._in_hand.descriptor
        command = [sys.executable, "-m", "workers.serving", "--in-hand", str(descriptor)]
        command += ["--first"] if self._first else []
        threads = thread_limits(self._resources.settings.worker_threads)
        try:
            self._process = subprocess.Popen(
                command,
                pass_fds=(descriptor,),
                env={**threads, **os.environ},
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - see workers/child.py
            )
            while self._process.poll() is None:
                self._look()
                time.sleep(_LOOK_SECONDS)
            code = self._process.returncode
            self._put_back(self._killed_for or describe_exit(code))
        finally:
            self._in_hand.close()
            self._end()
        return code

    def _end(self) -> None:
        """Nothing for one that has ended."""
        if self._process is not None and self._process.poll() is None:
            kill_group(self._process.pid)
            self._process.wait()

    def _look(self) -> None:
        """Kill what hangs, or eats the machine's memory."""
        if self._process is None:
            return
        if resident_bytes(self._process.pid) > self._memory_limit:
            self._kill("needed too much memory")
        since = self._in_hand.since()
        if since is None:
            return
        self.ready.set()
        busy_for = time.monotonic() - since
        hangs = busy_for > self._resources.settings.serving_hang_seconds
        working = self._in_hand.read().working if hangs else ()
        if working and busy_for > (seconds := self._allowed(working)):
            self._kill(f"took longer than {seconds:g} s")

    def _allowed(self, questions: Sequence[Question]) -> float:
        settings = self._resources.settings
        inputs = sum(len(question.inputs) for question in questions)
        return settings.serving_hang_seconds + settings.row_seconds * max(0, inputs - 1)

    def _kill(self, why: str) -> None:
        if self._process is not None and not self._killed_for:
            logger.warning("killing serving process %d: it %s", self._process.pid, why)
            self._killed_for = why
            kill_group(self._process.pid)

    def _put_back(self, why: str) -> None:
        """Ask again what it had in hand."""
        in_hand = self._in_hand.read()
        try:
            with self._resources.redis.pipeline(transaction=False) as pipe:
                if ids := [question.id for question in (*in_hand.working, *in_hand.held)]:
                    pipe.sadd(ASKED_AGAIN, *ids)
                    pipe.expire(ASKED_AGAIN, REPLY_TTL)
                pipe.incr(DEATHS)
                for question in in_hand.working:
                    _ask_again(pipe, question, why)
                # in front of those, and the oldest first
                for question in reversed(in_hand.held):
                    pipe.lpush(question.list_name, question.encode())
                pipe.execute()
        except redis.RedisError:
            # those who asked are told, after their time, that nobody answered
            lost = len(in_hand.working) + len(in_hand.held)
            logger.exception("%d questions are lost", lost)


def _tell_start(resources: Resources) -> None:
    """A worker before this one may have died with all its processes, and told nobody."""
    try:
        resources.redis.incr(DEATHS)
    except redis.RedisError as error:
        logger.warning("gateways do not hear that a worker starts: %s", error)


def _ask_again(pipe: Any, question: Question, why: str) -> None:
    """The input that was tried by itself is blamed; else the question comes back alone."""
    poison = question.poison
    if question.at is not None:
        poison = (*poison, (question.at, f"the process that worked on it {why}"))
    again = replace(question, deaths=question.deaths + 1, poison=poison, at=None)
    if again.deaths <= _MAX_DEATHS:
        pipe.lpush(again.list_name, again.encode())
        return
    problem = InternalError(
        f"{again.deaths} processes died of these inputs",
        code="lost_worker",
        remedy="Ask for fewer inputs at once, or post them as a job of kind `predict`, which finds "
        "the rows that do it.",
    ).problem()
    pipe.rpush(again.reply_to, encode_answers([Answer(id=again.id, problem=problem)]))
    pipe.expire(again.reply_to, REPLY_TTL)
