"""Jobs that arrive together share a transaction, and nothing else."""

import asyncio
from contextlib import contextmanager
from uuid import UUID

import pytest

from api.job_desk import JobDesk
from app.access.principal import Principal
from app.core.errors import IdempotencyMismatch, NotFound, RetortError, TooManyJobs
from app.core.ids import new_id
from app.core.requests import PluginSpec
from app.core.settings import get_settings
from app.db.base import DEFAULT_PROJECT_ID
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.jobs.outages import is_outage
from app.jobs.states import JobState
from app.jobs.store import list_events, list_jobs
from app.jobs.submit import NewJob, submit_job
from app.kinds import ALONE, Asked, Submission, Submitted, submit_several
from app.kinds.submission import room_of
from app.resources import Resources
from app.training.params import TrainParams
from tests.support.servers import migrate
from workers.dispatch import Dispatcher
from workers.servers import PostgresServer

ME = Principal(project_id=DEFAULT_PROJECT_ID, name="key:test")


def add_dataset(database, *, name="mols", job_id=None):
    with database.session() as session:
        file = FileRow(
            id=new_id(), name="f", media_type="text/csv", size=1, sha256="0" * 64, storage_key="f"
        )
        session.add(file)
        session.flush()
        ready = None if job_id else "m"
        session.add(
            DatasetRow(name=name, number=1, file_id=file.id, manifest_key=ready, job_id=job_id)
        )


@pytest.fixture
def mols(resources):
    add_dataset(resources.database)
    return "mols"


def training(dataset="mols", **changes):
    fields = {key: changes.pop(key) for key in ("needs", "labels") if key in changes}
    return Submission(kind="train", params=TrainParams(dataset=dataset, **changes), **fields)


def asked(submission, key=None, by=ME):
    return Asked(principal=by, submission=submission, idempotency_key=key)


def stored(resources):
    return {job.id: job for job in list_jobs(resources.database, DEFAULT_PROJECT_ID, limit=1000)}


@contextmanager
def desk_of(resources):
    dispatcher = Dispatcher()
    desk = JobDesk(resources, dispatcher)
    dispatcher.start()
    desk.start()
    try:
        yield desk
    finally:
        desk.close()
        dispatcher.close()


def submit_all(desk, submissions):
    """What becomes of each (submission, key), all of them at once."""

    async def all_of_them():
        return await asyncio.gather(
            *(desk.submit(ME, submission, key) for submission, key in submissions),
            return_exceptions=True,
        )

    return asyncio.run(all_of_them())


def test_good_jobs_are_stored_whole_and_bad_ones_cost_them_nothing(resources, mols):
    bad_spec = PluginSpec(name="random_forest", params={"n_estimators": -1})
    fates = submit_several(
        resources,
        [
            asked(training(labels={"n": "0"})),
            asked(training("no-such")),
            asked(training(algorithm=PluginSpec(name="no_such"))),
            asked(training(algorithm=bad_spec)),
            asked(training(labels={"n": "4"})),
        ],
    )
    good = [fates[0].job, fates[4].job]
    assert [job.labels["n"] for job in good] == ["0", "4"]
    assert [fate.problem()["code"] for fate in fates[1:4]] == [
        *("not_found", "unknown_name", "invalid_parameters"),
    ]
    assert fates[1].errors[0]["pointer"] == "/params/dataset"
    assert stored(resources) == {job.id: job for job in good}
    for job in good:
        assert (job.state, job.version, job.dispatch_count) == (JobState.QUEUED, 1, 1)
        assert job.dispatched_at == job.created_at
        assert [event.data["trigger"] for event in list_events(resources.database, job.id)] == [
            "submit"
        ]


def test_it_is_the_job_that_would_have_been_stored_alone(resources, mols):
    new = dict(  # noqa: C408 - as NewJob is written
        project_id=DEFAULT_PROJECT_ID, kind="train", queue="cpu", created_by=ME.name,
        params={"large": 2**70, "small": 1e-300, "text": "é\u2028"}, labels={"a": "b"},
        priority=7, max_attempts=2, deadline_seconds=60.5, client_ref="c", correlation_id="k",
        warnings=[{"code": "w"}],
    )  # fmt: skip
    job = submit_job(resources.database, NewJob(**new)).job
    assert job.params == new["params"]
    assert (job.deadline_at - job.created_at).total_seconds() == 60.5
    assert (job.priority, job.max_attempts, job.labels) == (7, 2, {"a": "b"})
    assert (job.client_ref, job.correlation_id, job.warnings) == ("c", "k", [{"code": "w"}])
    ours = submit_several(resources, [asked(training())])[0].job
    alone = submit_job(
        resources.database,
        NewJob(project_id=ours.project_id, kind=ours.kind, queue=ours.queue, params=ours.params,
               created_by=ours.created_by, max_attempts=ours.max_attempts),
    ).job  # fmt: skip
    own = ("id", "created_at", "dispatched_at")
    differing = {name for name in ours.__slots__ if getattr(ours, name) != getattr(alone, name)}
    assert differing == set(own)


def test_keys_within_a_batch_and_after_it(resources, mols):
    batch = [
        asked(training(seed=1), "key-aaaa-1"),
        asked(training(seed=1), "key-aaaa-1"),
        asked(training(seed=2), "key-bbbb-2"),
        asked(training("no-such"), "key-cccc-3"),
    ]
    first, twice, other, refused = submit_several(resources, batch)
    assert isinstance(first, Submitted)
    assert twice is ALONE, "it comes again when the first is stored"
    assert not other.replayed
    assert isinstance(refused, NotFound)
    again, mismatch, free = submit_several(
        resources,
        [
            asked(training(seed=1), "key-aaaa-1"),
            asked(training(seed=9), "key-bbbb-2"),
            asked(training(seed=3), "key-cccc-3"),
        ],
    )
    assert (again.replayed, again.job.id) == (True, first.job.id)
    assert isinstance(mismatch, IdempotencyMismatch)
    assert not free.replayed, "a refused request has used up no key"
    assert len(stored(resources)) == 3


def test_a_key_that_another_transaction_holds_is_in_progress(resources, mols):
    scope = f"{ME.project_id}:{ME.name}:jobs"
    with resources.database.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{scope}\nkey-aaaa-1",)
        )
        held, free = submit_several(
            resources, [asked(training(), "key-aaaa-1"), asked(training(), "key-bbbb-2")]
        )
    assert held.problem()["code"] == "idempotency_in_progress"
    assert held.headers["Retry-After"]
    assert isinstance(free, Submitted)


@pytest.mark.parametrize("room", [5, 40])
def test_a_full_waiting_room_admits_exactly_as_many(resources, mols, monkeypatch, room):
    monkeypatch.setenv("RETORT_MAX_WAITING_JOBS", str(room))
    get_settings.cache_clear()
    small = Resources(get_settings())
    other = Principal(project_id=DEFAULT_PROJECT_ID, name="key:modest")
    fates = submit_several(small, [asked(training()) for _ in range(60)])
    fates += submit_several(small, [asked(training()), asked(training(), by=other)])
    small.database.dispose()
    assert room_of(small).limit == room
    assert [isinstance(fate, Submitted) for fate in fates[:-1]] == [True] * room + [False] * (
        61 - room
    )
    assert all(isinstance(fate, TooManyJobs) for fate in fates[room:-1])
    assert isinstance(fates[-1], Submitted), "another caller's room is not full"


def test_a_hundred_at_once_of_every_sort(resources, mols):
    pending = submit_job(
        resources.database,
        NewJob(project_id=DEFAULT_PROJECT_ID, kind="ingest", queue="cpu", params={},
               created_by="t"),
    ).job  # fmt: skip
    add_dataset(resources.database, name="coming", job_id=pending.id)
    of_sort = [
        lambda n: (training(labels={"n": str(n)}), None),
        lambda n: (training("no-such"), None),
        lambda n: (training(seed=1), "key-same-body"),
        lambda n: (training(seed=n), f"key-own-{n:05}"),
        lambda n: (training(needs=(pending.id,)), None),
        lambda n: (training("coming"), None),
        lambda n: (training(needs=(new_id(),)), None),
    ]
    wanted = [of_sort[n % len(of_sort)](n) for n in range(105)]
    with desk_of(resources) as desk:
        fates = submit_all(desk, wanted)
        other_body = submit_all(desk, [(training(seed=2), "key-same-body")])
    sorts = [fates[n :: len(of_sort)] for n in range(len(of_sort))]
    good, unknown, same, own, needing, coming, lost = sorts
    assert [fate.job.labels["n"] for fate in good] == [str(n) for n in range(0, 105, 7)]
    assert all(isinstance(fate, NotFound) for fate in [*unknown, *lost])
    assert len({fate.job.id for fate in same if isinstance(fate, Submitted)}) == 1
    # one that came while the first was being stored may be told to come again, nothing worse
    assert {type(fate).__name__ for fate in same} <= {"Submitted", "IdempotencyInProgress"}
    assert sum(not fate.replayed for fate in same if isinstance(fate, Submitted)) == 1
    assert not any(fate.replayed for fate in own)
    for fate in [*needing, *coming]:
        assert fate.job.state is JobState.WAITING
        assert fate.job.needs == (pending.id,)
    assert isinstance(other_body[0], IdempotencyMismatch)
    made = [fate.job.id for fate in [*good, *own, *needing, *coming]]
    assert len(stored(resources)) == len({*made}) + 2, (
        "and the one with the shared key, and pending"
    )


def test_reading_together_gives_each_its_own(resources, mols):
    jobs = [fate.job for fate in submit_several(resources, [asked(training())] * 3)]

    async def read(desk, project_id, ids):
        return await asyncio.gather(
            *(desk.read(project_id, one) for one in ids), return_exceptions=True
        )

    with desk_of(resources) as desk:
        ids = [job.id for job in jobs] + [jobs[0].id, UUID(int=0)]
        *found, missing = asyncio.run(read(desk, DEFAULT_PROJECT_ID, ids))
        foreign = asyncio.run(read(desk, new_id(), ids[:1]))
    assert found == [*jobs, jobs[0]]
    assert isinstance(missing, NotFound)
    assert isinstance(foreign[0], NotFound)


def test_postgres_dies_in_the_middle_and_nothing_accepted_is_lost(
    retort_environment, server_home, monkeypatch
):
    server = PostgresServer(server_home / "dying-postgres")
    server.start()
    try:
        url = server.ensure_database("retort")
        migrate(url)
        monkeypatch.setenv("RETORT_DATABASE_URL", url)
        get_settings.cache_clear()
        resources = Resources(get_settings())
        add_dataset(resources.database)
        fates = _submit_until_it_dies(resources, server)
        accepted = {fate.job.id for fate in fates if isinstance(fate, Submitted)}
        refused = [fate for fate in fates if not isinstance(fate, Submitted)]
        assert accepted
        assert refused
        assert all(is_outage(error) and not isinstance(error, RetortError) for error in refused)
        server.start()
        with desk_of(resources) as desk:
            (later,) = submit_all(desk, [(training(), None)])
        assert isinstance(later, Submitted), "the connection that broke is thrown away"
        assert accepted <= stored(resources).keys()
        resources.database.dispose()
    finally:
        server.kill()


def _submit_until_it_dies(resources: Resources, server: PostgresServer):
    async def many(desk):
        fates = []
        for number in range(8):
            if number == 4:
                asyncio.get_running_loop().run_in_executor(None, server.kill)
            wave = [desk.submit(ME, training(), None) for _ in range(40)]
            fates += await asyncio.gather(*wave, return_exceptions=True)
        await asyncio.to_thread(server.kill)
        fates += await asyncio.gather(desk.submit(ME, training(), None), return_exceptions=True)
        return fates

    with desk_of(resources) as desk:
        return asyncio.run(many(desk))


def test_what_the_database_refuses_is_tried_alone(resources, mols, monkeypatch):
    """A failure in the common transaction is nobody's yet: each is told its own."""

    def refuse(*_):
        with resources.database.cursor() as cursor:
            cursor.execute("SELECT 1/0")

    monkeypatch.setattr("app.jobs.together.insert_jobs", refuse)
    assert submit_several(resources, [asked(training())] * 2) == [ALONE, ALONE]
    with desk_of(resources) as desk:
        fates = submit_all(desk, [(training(), None)] * 2)
    assert all(isinstance(fate, Submitted) for fate in fates)
    assert len(stored(resources)) == 2
