"""A storm: jobs of every kind come in while random processes are killed, again and again.

`python -m tests.faults.storm --minutes 30 --seed 7` (`make soak`). The seed decides which faults
come in which order, when, and on whom, and what is submitted; replay it with the same seed. How the
processes interleave is the machine's affair. `test_storm.py` runs a short one in CI.
"""

import argparse
import contextlib
import random
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass

import psutil
from redis import Redis

from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.store import get_job
from retort import RetortError
from tests.support.fault_cluster import FAST, WORKERS, FaultCluster
from tests.support.scene import KINDS, Account, Scene
from tests.support.servers import new_home
from workers.celery_app import create_celery
from workers.dispatch import send_job

#: how often each fault comes, relative to the others
_WEIGHTS = {
    "kill child": 8,
    "kill parent": 4,
    "kill worker": 6,
    "drain": 4,
    "stop and go": 4,
    "kill gateway": 3,
    "kill beat": 2,
    "kill control": 2,
    "kill redis": 2,
    "flush redis": 2,
    "kill redis clients": 2,
    "crash postgres": 1,
    "sever connections": 2,
    "repeat messages": 2,
    "disk full": 1,
}
_OPEN_JOBS = 10


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One entry of the plan: fixed by the seed."""

    name: str
    #: seconds after the one before
    after: float
    target: str
    #: how long it lasts, for those that last
    seconds: float


def plan(seed: int, minutes: float, *, pause: tuple[float, float]) -> list[Fault]:
    rng = random.Random(seed)
    found: list[Fault] = []
    clock = 0.0
    while clock < minutes * 60:
        after = rng.uniform(*pause)
        name = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        target = rng.choice(("cpu", "cpu", "gpu", "predict", "predict", "interactive"))
        found.append(Fault(name=name, after=after, target=target, seconds=rng.uniform(1, 14)))
        clock += after
    return found


class Storm:
    def __init__(self, cluster: FaultCluster, scene: Scene, faults: list[Fault], seed: int) -> None:
        self.cluster, self.scene, self.faults = cluster, scene, faults
        self.rng = random.Random(seed + 1)
        self.counts: Counter[str] = Counter()
        self.submitted: Counter[str] = Counter()
        self.over = threading.Event()
        self.paused: set[str] = set()
        self.errors: list[str] = []

    def blow(self) -> None:
        """Until the plan is done; then every job must end as it should."""
        producer = threading.Thread(target=self._submit_all, daemon=True)
        producer.start()
        try:
            for fault in self.faults:
                end = time.monotonic() + fault.after
                while time.monotonic() < end:
                    self._supervise()
                    time.sleep(0.5)
                self._apply(fault)
        finally:
            self.over.set()
            producer.join(timeout=120)
            self._supervise()
        self._retry_quarantined()
        self.scene.settle(seconds=300)

    # ---- work

    def _submit_all(self) -> None:
        while not self.over.wait(0.3):
            try:
                if self._open() < _OPEN_JOBS:
                    self._submit_one()
            except RetortError as error:
                # the client has given up after its retries; nothing was promised
                self.errors.append(f"{type(error).__name__}: {error}"[:200])
            except Exception as error:  # noqa: BLE001 - shown in the end
                self.errors.append(f"{type(error).__name__}: {error}"[:200])

    def _submit_one(self) -> None:
        kind = self.rng.choice(KINDS)
        job = self.scene.submit(
            kind, seconds=self.rng.uniform(0.3, 6.0), priority=self.rng.randint(0, 9)
        )
        self.scene.jobs.append(job)
        self.submitted[kind] += 1
        if self.rng.random() < 0.05:
            self.scene.may_end[job["id"]] = {"cancelled", "succeeded"}
            self.scene.client.jobs.cancel(job["id"])

    def _open(self) -> int:
        query = (
            "SELECT count(*) AS n FROM jobs"
            " WHERE state IN ('waiting', 'queued', 'running', 'retrying')"
        )
        return int(self.scene.rows(query)[0]["n"])

    def _retry_quarantined(self) -> None:
        """A job that was hit by two kills is quarantined, as a job that kills its worker would be:
        the person who looks at it retries it.
        """
        for _ in range(600):
            quarantined = self.scene.rows(
                "SELECT id, error->>'code' AS code, crash_count FROM jobs WHERE state = 'failed'"
            )
            for row in quarantined:
                if row["code"] == "lost_worker" and row["crash_count"] >= 2:
                    self.counts["(quarantined, retried by hand)"] += 1
                    self.scene.client.jobs.retry(str(row["id"]))
            self.cluster.ensure_running()
            if not self._open():
                return
            time.sleep(0.5)

    # ---- faults

    def _supervise(self) -> None:
        with contextlib.suppress(Exception):
            self.cluster.ensure_running()

    def _apply(self, fault: Fault) -> None:
        self.counts[fault.name] += 1
        print(f"{time.strftime('%T')} {fault.name}: {fault.target}", flush=True)
        action = getattr(self, "_" + fault.name.replace(" ", "_"))
        self.scene.inject(lambda: action(fault))

    def _kill_child(self, fault: Fault) -> None:
        with contextlib.suppress(psutil.Error):
            forks = self.cluster.forks(fault.target)
            if forks:
                psutil.Process(self.rng.choice(forks)).kill()

    def _kill_parent(self, fault: Fault) -> None:
        self.cluster.signal_parent(signal.SIGKILL, fault.target)

    def _kill_worker(self, fault: Fault) -> None:
        self.cluster.signal_family(signal.SIGKILL, fault.target)

    def _drain(self, fault: Fault) -> None:
        self.cluster.signal_parent(signal.SIGTERM, fault.target)

    def _stop_and_go(self, fault: Fault) -> None:
        self.cluster.signal_family(signal.SIGSTOP, fault.target)
        time.sleep(fault.seconds)
        self.cluster.signal_family(signal.SIGCONT, fault.target)

    def _kill_gateway(self, _: Fault) -> None:
        self.cluster.signal_family(signal.SIGKILL, "gateway")

    def _kill_beat(self, _: Fault) -> None:
        self.cluster.signal_family(signal.SIGKILL, "beat")

    def _kill_control(self, _: Fault) -> None:
        self.cluster.signal_family(signal.SIGKILL, "control")

    def _kill_redis(self, _: Fault) -> None:
        self.cluster.redis.kill()
        time.sleep(1.0)
        self.cluster.redis.start()

    def _flush_redis(self, _: Fault) -> None:
        self.cluster.redis_flush()

    def _kill_redis_clients(self, _: Fault) -> None:
        with Redis.from_url(self.cluster.redis.url) as client:
            client.client_kill_filter(_type="normal", skipme=True)

    def _crash_postgres(self, _: Fault) -> None:
        self.cluster.postgres.child.send(signal.SIGQUIT)
        self.cluster.postgres.child.wait(20)
        self.cluster.postgres.start()

    def _sever_connections(self, _: Fault) -> None:
        self.scene.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def _repeat_messages(self, _: Fault) -> None:
        celery = create_celery(self.cluster.process_settings())
        for job in self.scene.jobs[-_OPEN_JOBS:]:
            for _n in range(9):
                send_job(celery, get_job(self.cluster.database, DEFAULT_PROJECT_ID, job["id"]))

    def _disk_full(self, fault: Fault) -> None:
        for size in (0, psutil.RLIM_INFINITY):
            for name in WORKERS:
                with contextlib.suppress(psutil.Error):
                    for process in self.cluster.family(name):
                        process.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))
            if size == 0:
                time.sleep(min(fault.seconds, 4.0))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    home = new_home("retort-soak-", in_memory=False)
    cluster = FaultCluster(home, FAST)
    account = Account(fault=f"storm of {options.minutes:g} min, seed {options.seed}")
    started = time.monotonic()
    try:
        cluster.start()
        with cluster.client() as client:
            Scene.prepare(client)
            scene = Scene(cluster, client, account)
            storm = Storm(
                cluster, scene, plan(options.seed, options.minutes, pause=(6, 22)), options.seed
            )
            storm.blow()
    finally:
        cluster.stop()
        print(f"logs: {home / 'logs'}")
    report(storm, scene, time.monotonic() - started)
    return 0


def report(storm: Storm, scene: Scene, seconds: float) -> None:
    account = scene.account
    middle, worst = account.recovered
    print(f"\n{account.fault}: {seconds / 60:.1f} min with start and end")
    print(f"jobs: {len(scene.jobs)} ({dict(storm.submitted)})")
    print(f"faults: {sum(storm.counts.values())} ({dict(storm.counts)})")
    print(
        f"sent again in {account.worst_taken_back:.1f} s at worst; running again in: median"
        f" {middle}, worst {worst}"
    )
    print(f"lost: {account.lost}, duplicated: {account.duplicated}, invariants broken: 0")
    if storm.errors:
        print(f"refused submissions: {len(storm.errors)}, e.g. {storm.errors[0]}")


if __name__ == "__main__":
    sys.exit(main())
