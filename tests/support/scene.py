"""One incident: jobs of every kind in flight, a fault, and an account of what became of them."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pyarrow.parquet as pq

from app.integrity.blobs import missing_blobs, remove_unseen, unseen_blobs
from app.integrity.records import broken_rules
from app.jobs.chunks import queue_of
from app.jobs.sweeper import ChunkRef
from retort import Retort
from tests.support.fault_cluster import FaultCluster
from tests.support.molecules import DATA, ESOL_TARGET, rows_of
from tests.support.waiting import wait_for

KINDS = ("ingest", "featurize", "train cpu", "train gpu", "optimize", "predict")
_TERMINAL = ("succeeded", "failed", "cancelled")
_PREDICT_ROWS = 600
#: of a scene that does not come to its end
_UNENDED = (
    """SELECT id, kind, state, queue, attempt, dispatch_count, dispatched_at, lease_expires_at,
        claim_token, now() FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')""",
    """SELECT c.job_id, c.chunk, c.state, c.started_at, c.dispatched_at FROM job_chunks c
        JOIN jobs j ON j.id = c.job_id
        WHERE j.state = 'running' AND c.state IN ('queued', 'running')""",
    """SELECT pid, state, wait_event_type, wait_event, now() - xact_start AS age,
        pg_blocking_pids(pid) AS blocked_by, left(query, 120) AS query FROM pg_stat_activity
        WHERE datname = current_database() AND xact_start IS NOT NULL""",
)


@dataclass(kw_only=True)
class Account:
    """One line of the table that `make faults` prints."""

    fault: str
    in_flight: int = 0
    injected: int = 0
    #: seconds from the fault to the new start of each piece of work that it hit
    recoveries: list[float] = field(default_factory=list)
    #: seconds from the fault to the moment when it was taken back and sent again
    taken_back: list[float] = field(default_factory=list)
    lost: int = 0
    duplicated: int = 0

    @property
    def recovered(self) -> tuple[str, str]:
        if not self.recoveries:
            return "nothing was hit", "-"
        return f"{median(self.recoveries):.1f} s", f"{max(self.recoveries):.1f} s"

    @property
    def worst_taken_back(self) -> float:
        return max(self.taken_back, default=0.0)


@dataclass(kw_only=True)
class _Snapshot:
    at: Any
    jobs: dict[Any, dict[str, Any]]
    chunks: dict[tuple[Any, int], dict[str, Any]]


class Callers(threading.Thread):
    """Somebody draws molecules all the time: synchronous predictions, one after the other."""

    def __init__(self, cluster: FaultCluster, model: str) -> None:
        super().__init__(daemon=True)
        self.cluster, self.model = cluster, model
        self.stopped = threading.Event()
        self.answered = self.refused = 0
        #: what no caller should ever see
        self.wrong: list[str] = []
        self._first: Any = None

    def run(self) -> None:
        while not self.stopped.wait(0.2):
            self._ask()

    def _ask(self) -> None:
        # computed each time: known answers would hide that nobody computes
        inputs = ["CCO", "c1ccccc1O"]
        body = {"model": self.model, "inputs": inputs, "force_recompute": True}
        headers = {"Authorization": f"Bearer {self.cluster.key}"}
        try:
            answer = httpx.post(
                f"{self.cluster.url}/api/v1/predictions", json=body, headers=headers, timeout=30
            )
        except httpx.TransportError:
            self.refused += 1  # the gateway is away
            return
        if answer.status_code == 503 and "Retry-After" in answer.headers:
            self.refused += 1
        elif answer.status_code != 200:
            self.wrong.append(f"{answer.status_code}: {answer.text[:200]}")
        else:
            self.answered += 1
            items = answer.json()["predictions"]
            self._first = self._first or items
            if items != self._first:
                self.wrong.append(f"{items} instead of {self._first}")

    def finish(self) -> None:
        self.stopped.set()
        self.join(timeout=60)
        before = self.answered
        wait_for(lambda: self._ask() or self.answered > before, "predictions are answered again")


class Scene:
    """Work, a fault, an account: `scene.work(); scene.inject(fault); scene.settle()`."""

    #: makes features that are not cached yet, in each incident anew
    _salt = int(time.time()) % 1_000_000

    def __init__(self, cluster: FaultCluster, client: Retort, account: Account) -> None:
        self.cluster, self.client, self.account = cluster, client, account
        self.jobs: list[dict[str, Any]] = []
        self._snapshots: list[tuple[_Snapshot, bool]] = []
        #: ids that may end otherwise than `succeeded`, and how
        self.may_end: dict[str, set[str]] = {}
        #: rows of a batch that have no answer, by its id; everywhere else all have one
        self.refused_rows: dict[str, int] = {}

    # ---- work

    @staticmethod
    def prepare(client: Retort) -> None:
        """Once for a cluster: a data set and a model that the incidents use."""
        client.datasets.create(DATA / "esol.csv", "esol", roles={ESOL_TARGET: "target"})
        job = client.train(
            "esol",
            targets=[ESOL_TARGET],
            name="base",
            features=[{"name": "probe_atoms", "params": {"seconds": 0.0}}],
            algorithm={"name": "probe_slow"},
            bootstrap=0,
        )
        client.jobs.wait(job["id"])
        slow = client.train(
            "esol",
            targets=[ESOL_TARGET],
            name="slow",
            features=[{"name": "probe_atoms", "params": {"seconds": 0.004}}],
            algorithm={"name": "probe_slow"},
            bootstrap=0,
        )
        client.jobs.wait(slow["id"])

    def work(self, kinds: Iterable[str] = KINDS, *, seconds: float = 3.0) -> list[dict[str, Any]]:
        """Submit a job of each kind; together they last some `seconds` on two cores."""
        submitted = [self.submit(kind, seconds=seconds) for kind in kinds]
        self.jobs += submitted
        return submitted

    def submit(self, kind: str, *, seconds: float = 4.0, **fields: Any) -> dict[str, Any]:
        learn = {
            "dataset": "esol",
            "targets": [ESOL_TARGET],
            "features": [{"name": "probe_atoms", "params": {"seconds": 0.0}}],
            "bootstrap": 0,
        }
        jobs = self.client.jobs
        if kind == "ingest":
            file = self.client.files.upload(DATA / "lipophilicity.csv")
            params = {"file_id": file["id"], "name": "lipo", "roles": {"exp": "target"}}
            return jobs.submit("ingest", params, **fields)
        if kind == "featurize":
            Scene._salt += 1
            spec = {"seconds": seconds / 2200, "salt": Scene._salt}
            return jobs.submit(
                "featurize",
                {"dataset": "esol", "features": [{"name": "probe_atoms", "params": spec}]},
                **fields,
            )
        if kind in ("train cpu", "train gpu"):
            name = "probe_slow" if kind == "train cpu" else "probe_slow_gpu"
            algorithm = {"name": name, "params": {"seconds": seconds}}
            # one fit: `seconds` are those of the job
            params = {**learn, "algorithm": algorithm, "name": "trained", "calibration": "split"}
            return jobs.submit("train", params, **fields)
        if kind == "optimize":
            params = {**learn, "algorithm": "probe_slow", "n_trials": 4, "folds": 2, "name": "best"}
            return jobs.submit("optimize", params, **fields)
        file = self.client.files.upload(self._molecules())
        params = {"model": "slow", "file_id": file["id"], "chunk_rows": 80, "cache": False}
        return jobs.submit("predict", params, **fields)

    def _molecules(self) -> Path:
        path = self.cluster.home / "molecules.csv"
        if not path.exists():
            smiles = [row["smiles"] for row in rows_of("lipophilicity.csv")[:_PREDICT_ROWS]]
            path.write_text("smiles\n" + "".join(f"{text}\n" for text in smiles))
        return path

    @contextlib.contextmanager
    def callers(self) -> Any:
        """Synchronous predictions go on while the block runs, and are answered after it."""
        callers = Callers(self.cluster, "base")
        callers.start()
        try:
            yield callers
        finally:
            callers.finish()
        self.account.in_flight += 1
        self.account.lost += len(callers.wrong)
        assert not callers.wrong, callers.wrong[:3]

    @contextlib.contextmanager
    def busy(self, *, seconds: float = 3.0, settle: float = 150.0) -> Any:
        """Jobs of every kind are in flight when the block begins; after it all have ended, and the
        account is checked. Gives the jobs.
        """
        with self.callers():
            jobs = self.work(seconds=seconds)
            self.wait_in_flight()
            yield jobs
            self.settle(seconds=settle)

    def wait_in_flight(self, *, jobs: int = 3, seconds: float = 30.0) -> None:
        """At least so many of our jobs run, and chunks of some."""
        ids = [job["id"] for job in self.jobs]
        query = (
            "SELECT count(*) AS n FROM jobs WHERE id = ANY(%s::uuid[]) AND state = 'running'"
            " AND (claim_token IS NOT NULL OR EXISTS (SELECT 1 FROM job_chunks c"
            " WHERE c.job_id = jobs.id AND c.state = 'running'))"
        )
        wait_for(
            lambda: self.rows(query, ids)[0]["n"] >= jobs, f"{jobs} jobs are in flight", seconds
        )

    # ---- faults

    def inject(self, fault: Callable[[], Any], *, messages_lost: bool = False) -> None:
        """`messages_lost`: what waits in a queue is hit too, and has to be sent again."""
        snapshot = self._snapshot()
        self._snapshots.append((snapshot, messages_lost))
        self.account.injected += 1
        self.account.in_flight += len(snapshot.jobs)
        fault()

    def _snapshot(self) -> _Snapshot:
        (now,) = self.rows("SELECT clock_timestamp() AS now")
        jobs = self.rows(
            "SELECT id, state, attempt, claim_token, dispatch_count FROM jobs"
            " WHERE NOT state = ANY(%s)",
            list(_TERMINAL),
        )
        chunks = self.rows(
            "SELECT c.job_id, c.chunk, c.state, c.started_at, c.dispatched_at FROM job_chunks c"
            " JOIN jobs j ON j.id = c.job_id WHERE j.state = 'running'"
            " AND c.state IN ('queued', 'running')"
        )
        return _Snapshot(
            at=now["now"],
            jobs={row["id"]: row for row in jobs},
            chunks={(row["job_id"], row["chunk"]): row for row in chunks},
        )

    # ---- the account

    def settle(self, *, seconds: float = 150.0) -> None:
        """Wait for the end of every job, then check everything that was promised."""
        ids = [job["id"] for job in self.jobs]
        try:
            with self.told():
                wait_for(self._all_ended, "every job has ended", seconds)
        finally:
            self._time_recoveries()
            problems = self._problems(ids)
            self.account.lost += len(problems["lost"])
            self.account.duplicated += len(problems["duplicated"])
        assert problems == {"lost": [], "duplicated": [], "broken": []}, problems

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """When the block waits in vain: what has not ended, and who waits for whom in Postgres."""
        try:
            yield
        except AssertionError as error:
            for query in _UNENDED:
                for row in self.rows(query):
                    error.add_note(str({name: str(value) for name, value in row.items()}))
            raise

    def _all_ended(self) -> bool:
        """Looks again and again, and starts again what has died, as a supervisor does."""
        self.cluster.ensure_running()
        query = "SELECT count(*) AS n FROM jobs WHERE NOT state = ANY(%s)"
        return bool(self.rows(query, list(_TERMINAL))[0]["n"] == 0)

    def _problems(self, ids: list[str]) -> dict[str, list[Any]]:
        ended = {str(row["id"]): row for row in self._ended(ids)}
        lost: list[Any] = [id_ for id_ in ids if id_ not in ended]
        for id_, row in ended.items():
            allowed = self.may_end.get(id_, {"succeeded"})
            if row["state"] not in allowed:
                lost.append((row["kind"], row["state"], row["error"]))
        broken = broken_rules(self.cluster.database, quiet=True)
        twice = {"results", "rows_exactly_once", "models", "studies", "artifacts"}
        duplicated: list[Any] = [v for v in broken if v.rule in twice]
        rest: list[Any] = [v for v in broken if v.rule not in twice]
        rest += missing_blobs(self.cluster.database, self.cluster.storage)
        for id_, row in ended.items():
            if row["state"] == "succeeded":
                gone, double = self._rows_of_result(id_, row)
                lost += gone
                duplicated += double
        remove_unseen(self.cluster.database, self.cluster.storage, older_than=0)
        rest += unseen_blobs(self.cluster.database, self.cluster.storage)
        rest += missing_blobs(self.cluster.database, self.cluster.storage)
        return {"lost": lost, "duplicated": duplicated, "broken": rest}

    def _ended(self, ids: list[str]) -> list[dict[str, Any]]:
        return self.rows(
            "SELECT id, kind, state, attempt, counts, error, result FROM jobs"
            " WHERE id = ANY(%s::uuid[]) AND state = ANY(%s)",
            ids,
            list(_TERMINAL),
        )

    def _rows_of_result(self, id_: str, row: dict[str, Any]) -> tuple[list[Any], list[Any]]:
        """Row numbers of a batch that are missing, and those that are there twice."""
        if row["kind"] == "ingest":
            counts = row["counts"]
            return ([] if counts["rows_total"] == 4200 else [counts]), []
        if row["kind"] != "predict":
            return [], []
        if row["counts"]["rows_failed"] != self.refused_rows.get(id_, 0):
            return [(id_, row["counts"])], []
        table = pq.read_table(self._predictions(id_))
        numbers = table.column("row").to_pylist()
        expected = set(range(1, row["counts"]["rows_total"] + 1))
        double = sorted({n for n in numbers if numbers.count(n) > 1})
        return sorted(expected - set(numbers)), double

    def _time_recoveries(self) -> None:
        for snapshot, messages_lost in self._snapshots:
            for sent, begun in (
                *self._of_jobs(snapshot, messages_lost=messages_lost),
                *self._of_chunks(snapshot, messages_lost=messages_lost),
            ):
                # what has begun was sent before; a later sending is a duplicate
                first = min(sent, begun) if sent is not None and begun is not None else sent
                for moment, times in (
                    (first, self.account.taken_back),
                    (begun, self.account.recoveries),
                ):
                    if moment is not None and moment > snapshot.at:
                        times.append((moment - snapshot.at).total_seconds())

    def _of_jobs(self, snapshot: _Snapshot, *, messages_lost: bool) -> Iterable[tuple[Any, Any]]:
        """(sent again, begun again) of each job that was hit."""
        rows = self.rows(
            "SELECT a.job_id, a.attempt, a.started_at, a.ended_at, a.outcome, j.dispatched_at,"
            " j.dispatch_count FROM job_attempts a JOIN jobs j ON j.id = a.job_id"
            " WHERE a.job_id = ANY(%s) ORDER BY a.attempt",
            list(snapshot.jobs),
        )
        for id_, before in snapshot.jobs.items():
            attempts = {row["attempt"]: row for row in rows if row["job_id"] == id_}
            if before["state"] == "running" and before["claim_token"] is not None:
                mine = attempts.get(before["attempt"])
                if mine is None:
                    continue
                if mine["started_at"] > snapshot.at:
                    yield None, mine["started_at"]  # put back: the number was given back
                elif mine["outcome"] in ("lost", "retrying"):
                    again = attempts.get(before["attempt"] + 1, {}).get("started_at")
                    yield mine["ended_at"], again
            elif before["state"] == "queued" and messages_lost and attempts:
                first = next(iter(attempts.values()))
                if first["dispatch_count"] == before["dispatch_count"] + 1:
                    yield first["dispatched_at"], first["started_at"]

    def _of_chunks(self, snapshot: _Snapshot, *, messages_lost: bool) -> Iterable[tuple[Any, Any]]:
        rows = self.rows(
            "SELECT job_id, chunk, started_at, dispatched_at FROM job_chunks"
            " WHERE job_id = ANY(%s)",
            list({job for job, _ in snapshot.chunks}),
        )
        for row in rows:
            before = snapshot.chunks.get((row["job_id"], row["chunk"]))
            if before is None:
                continue
            sent_again = row["dispatched_at"] != before["dispatched_at"]
            begun_again = row["started_at"] != before["started_at"]
            if before["state"] == "running" and begun_again:
                yield row["dispatched_at"] if sent_again else None, row["started_at"]
            elif before["state"] == "queued" and messages_lost and sent_again:
                yield row["dispatched_at"], row["started_at"]

    # ---- looking

    def chunk_refs(self) -> list[ChunkRef]:
        """Of our jobs: the chunks that have not ended."""
        rows = self.rows(
            "SELECT c.job_id, c.chunk, j.kind, j.queue, j.priority FROM job_chunks c"
            " JOIN jobs j ON j.id = c.job_id WHERE j.id = ANY(%s::uuid[])"
            " AND c.state IN ('queued', 'running')",
            [job["id"] for job in self.jobs],
        )
        return [ChunkRef(**{**row, "queue": queue_of(row["queue"], row["chunk"])}) for row in rows]

    def rows_of_batch(self, job: dict[str, Any], *, status: str) -> list[dict[str, Any]]:
        table = pq.read_table(self._predictions(job["id"]))
        return [row for row in table.to_pylist() if row["status"] == status]

    def _predictions(self, id_: str) -> Path:
        (file,) = self.rows(
            "SELECT storage_key FROM files WHERE job_id = %s AND name = 'predictions.parquet'", id_
        )
        return self.cluster.storage.local_path(file["storage_key"])

    def upload_raw(self) -> httpx.Response:
        """One upload without the client's retries."""
        return httpx.post(
            f"{self.cluster.url}/api/v1/files",
            files={"file": ("x.csv", b"smiles\nCCO\n")},
            headers={"Authorization": f"Bearer {self.cluster.key}"},
            timeout=30,
        )

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        for patience in range(40):
            try:
                with self.cluster.database.cursor() as cursor:
                    cursor.execute(query, values or None)
                    return cursor.fetchall()
            except Exception:
                if patience == 39:
                    raise
                time.sleep(0.5)  # Postgres is away in some incidents
        raise AssertionError
