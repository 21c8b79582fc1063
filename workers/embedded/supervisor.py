"""The supervisor: starts everything in order, keeps it alive, drains it at the end."""

import logging
import signal
import time
from types import FrameType

from workers.embedded import logs
from workers.embedded.access import write_client_config
from workers.embedded.cluster import Cluster
from workers.embedded.home import Home
from workers.embedded.readiness import missing
from workers.embedded.state import (
    ClusterState,
    Phase,
    end_orphans,
    only_supervisor,
    read_state,
    this_process,
)
from workers.embedded.supervised import Supervised
from workers.processes import MIGRATE
from workers.servers import ServerStartError
from workers.servers.base import tail

logger = logging.getLogger("retort")

_TICK = 0.5
_LOG_CHECK_SECONDS = 30.0
_MIGRATION_SECONDS = 300.0
_SERVER_DRAIN_SECONDS = 30.0
ALREADY_RUNNING = 3


class CannotStartError(RuntimeError):
    """A step of the start failed; the message says which and why."""


def run(home: Home) -> int:
    """Supervise until SIGTERM or Ctrl-C; returns the exit code."""
    with only_supervisor(home.make()) as mine:
        if not mine:
            logger.error("another supervisor uses %s; see `make status`", home.root)
            return ALREADY_RUNNING
        return Supervisor(Cluster(home)).run()


class Supervisor:
    """One run; `cluster` says what belongs to it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.home = cluster.home
        self._me = this_process()
        self._phase: Phase = "starting"
        self._message = ""
        self._servers: list[Supervised] = []
        self._processes: list[Supervised] = []
        self._stopping = False
        self._logs_checked_at = time.monotonic()

    def run(self) -> int:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._ask_to_stop)
        try:
            self._start()
            while not self._stopping:
                self._tick()
                time.sleep(_TICK)
        except (CannotStartError, ServerStartError, OSError, LookupError) as error:
            logger.error("cannot start: %s", error)  # noqa: TRY400 - the sentence says it all
            self._drain()
            self._tell("failed", str(error))
            return 1
        self._drain()
        self._tell("stopped")
        return 0

    def _ask_to_stop(self, _signum: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _tell(self, phase: Phase, message: str = "") -> None:
        self._phase, self._message = phase, message
        everything = (*self._servers, *self._processes)
        ClusterState(
            phase=phase,
            supervisor=self._me,
            processes=tuple(one.state() for one in everything),
            message=message,
            addresses=self.cluster.addresses() if phase == "running" else {},
        ).write(self.home)

    # ---- start --------------------------------------------------------------------------

    def _start(self) -> None:
        before = read_state(self.home)
        if before and (left := end_orphans(before)):
            logger.info("ended what an earlier supervisor left: %s", ", ".join(left))
        logs.rotate(self.home.logs)
        self._tell("starting")
        for step in (self._start_servers, self._migrate, self._start_processes):
            if not self._stopping:
                step()

    def _start_servers(self) -> None:
        for name, server in self.cluster.servers().items():
            logger.info("starting %s on port %d", name, server.port)
            kept = Supervised(
                name, server.launch, log=server.log, drain_seconds=_SERVER_DRAIN_SECONDS
            )
            self._servers.append(kept)
            kept.start()
            self._tell("starting", f"waiting for {name}")
            server.wait_until_ready()

    def _migrate(self) -> None:
        logger.info("migrating the database")
        child = self.cluster.launch("migrate", MIGRATE)
        child.wait(_MIGRATION_SECONDS)
        if child.exit_code() != 0:
            raise CannotStartError(f"the migration failed:{tail(self.home.log('migrate'))}")
        write_client_config(self.cluster)

    def _start_processes(self) -> None:
        specs = self.cluster.specs()
        logger.info("starting %s", ", ".join(spec.name for spec in specs))
        for spec in specs:
            process = self.cluster.supervised(spec)
            self._processes.append(process)
            process.start()
        self._tell("starting", "waiting for the gateway and the workers")

    # ---- run ----------------------------------------------------------------------------

    def _tick(self) -> None:
        changed = [one.check() for one in (*self._servers, *self._processes)]
        if any(changed):
            self._tell(self._phase, self._message)
        if self._phase == "starting":
            self._look_whether_ready()
        if time.monotonic() - self._logs_checked_at > _LOG_CHECK_SECONDS:
            self._logs_checked_at = time.monotonic()
            logs.bound(self.home.logs)

    def _look_whether_ready(self) -> None:
        lacking = missing(self.cluster, self._me.started_at)
        if not lacking:
            seconds = time.time() - self._me.started_at
            logger.info("ready after %.1f s", seconds)
            self._tell("running")
        elif (message := f"waiting for {', '.join(lacking)}") != self._message:
            self._tell("starting", message)

    # ---- end ----------------------------------------------------------------------------

    def _drain(self) -> None:
        """Workers put their jobs back while the servers still answer; the servers go last."""
        logger.info("draining: running jobs go back to their queues")
        self._tell("draining")
        boards = [one for one in self._processes if one.name in {"flower", "mlflow"}]
        _stop_together([one for one in self._processes if one not in boards])
        _stop_together(boards)
        for server in reversed(self._servers):
            _stop_together([server])
        logger.info("stopped")


def _stop_together(group: list[Supervised]) -> None:
    for one in group:
        one.signal_stop()
    asked_at = time.monotonic()
    for one in group:
        one.wait(asked_at + one.drain_seconds)
