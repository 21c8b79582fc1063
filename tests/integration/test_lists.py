"""Lists: every page by an index or in bounded steps; nothing skipped, nothing twice, ever."""

import itertools
import random
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.access.keys import create_key
from app.core.ids import new_id
from app.core.work import Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.db.database import Database
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.db.models import ModelVersionRow
from app.db.projects import ProjectRow
from app.db.studies import StudyRow
from app.jobs import listing
from app.jobs.claim import Owner, claim_job
from app.jobs.control import request_cancel
from app.jobs.filters import JobFilter
from app.jobs.finish import succeed
from app.jobs.listing import list_page
from app.jobs.store import list_jobs
from app.jobs.submit import NewJob, submit_job
from tests.support.many_jobs import STEP_MS, fill_jobs

KINDS = ("ingest", "train", "predict")
STATES = ("queued", "running", "succeeded", "failed", "cancelled", "waiting")
OWNER = Owner(worker="test", pid=1)


def submit(database, *, project_id=DEFAULT_PROJECT_ID, **changes):
    values = {"kind": "train", "queue": "cpu", "params": {}, "created_by": "key:test"} | changes
    return submit_job(database, NewJob(project_id=project_id, **values)).job


def stranger_project(database):
    with database.session() as session:
        project = ProjectRow(name="strangers")
        session.add(project)
        session.flush()
        return project.id


@pytest.fixture
def short_walks(monkeypatch):
    """So that a few dozen jobs are as many as a million."""
    for name, value in {"FIRST_WALK": 4, "WALK": 9, "FEW": 6}.items():
        monkeypatch.setattr(listing, name, value)


def pages(database, filters, limit, *, at_most=1000):
    """The jobs of all pages, and the sizes of the pages."""
    found, sizes, before = [], [], None
    for _ in range(at_most):
        page = list_page(database, DEFAULT_PROJECT_ID, filters, limit=limit, before_id=before)
        found += page.jobs
        sizes.append(len(page.jobs))
        assert len(page.jobs) <= limit
        before = page.next_id
        if before is None:
            return found, sizes
    raise AssertionError("the pages do not end")


# ---- the same as looking at everything


def some_filter(dice, jobs):
    """Of every field with some probability, values that occur and that do not."""
    times = sorted(dice.sample([job.created_at for job in jobs], 2))
    job = dice.choice(jobs)
    fields = {
        "labels": dice.choice([{"team": "a"}, {"team": "a", "n": "3"}, {"n": "7"}, {"no": "x"}]),
        "created_by": dice.choice(["key:ann", "key:bob", "key:nobody"]),
        "parent_id": dice.choice([jobs[0].id, jobs[1].id, new_id()]),
        "created_after": times[0],
        "created_before": times[1],
        "q": dice.choice(["ref-1", "esol", str(job.id)[:13], str(job.id), "no such", "deadbeef"]),
    }
    chosen = {name: value for name, value in fields.items() if dice.random() < 0.3}
    for one, several, values in (("state", "states", STATES), ("kind", "kinds", KINDS)):
        if dice.random() < 0.3:
            chosen[one] = dice.choice(values)
        elif dice.random() < 0.3:
            chosen[several] = tuple(dice.sample(values, 2))
    return JobFilter(**chosen)


def mixed_jobs(database, dice, count=70):
    strangers = stranger_project(database)
    jobs = []
    for n in range(count):
        job = submit(
            database,
            kind=dice.choice(KINDS),
            created_by=dice.choice(["key:ann", "key:ann", "key:ann", "key:bob"]),
            labels=dice.choice([{}, {"team": "a"}, {"team": "b"}, {"team": "a", "n": str(n % 9)}]),
            client_ref=dice.choice([None, f"ref-{n}"]),
            parent_id=dice.choice([None, jobs[0].id, jobs[1].id]) if n > 1 else None,
            params=dice.choice([{}, {"dataset": "esol:1"}]),
        )
        jobs.append(job)
        submit(database, project_id=strangers, labels={"team": "a"}, client_ref="ref-1")
    with database.cursor() as cursor:
        cursor.executemany(
            "UPDATE jobs SET state = %s, created_at = %s WHERE id = %s",
            [
                # the clocks of gateway and Postgres differ a little
                (dice.choice(STATES), job.created_at + timedelta(seconds=dice.random()), job.id)
                for job in jobs
            ],
        )
    return list_jobs(database, DEFAULT_PROJECT_ID, limit=count)


@pytest.mark.req("goal-19")
@pytest.mark.parametrize("seed", range(4))
def test_any_filter_gives_what_looking_at_every_job_gives(database, short_walks, seed):
    dice = random.Random(seed)
    jobs = mixed_jobs(database, dice)
    filled = partly = 0
    for _ in range(120):
        filters = some_filter(dice, jobs)
        given = {name: getattr(filters, name) for name in filters.given()}
        expected = list_jobs(database, DEFAULT_PROJECT_ID, limit=1000, **given)
        found, sizes = pages(database, filters, dice.choice([1, 2, 5, 50]))
        assert [job.id for job in found] == [job.id for job in expected], given
        filled += bool(expected)
        partly += any(sizes[:-1]) and 0 in sizes[:-1]
    assert filled > 30
    assert partly > 0, "no bounded walk was needed: the test proves less than it says"


def test_no_filter_is_a_page_of_everything(database):
    jobs = [submit(database) for _ in range(7)]
    page = list_page(database, DEFAULT_PROJECT_ID, JobFilter(), limit=3)
    assert [job.id for job in page.jobs] == [job.id for job in reversed(jobs[4:])]
    assert page.next_id == jobs[4].id
    found, sizes = pages(database, JobFilter(), 7)
    assert (len(found), sizes) == (7, [7])


# ---- by an index, or in bounded steps


class Explaining:
    """A cursor that also keeps the plan of every query, with what each step really did."""

    def __init__(self, cursor, plans):
        self._cursor, self._plans = cursor, plans

    def execute(self, query, values=None):
        if query.startswith(("SELECT id", "SELECT newest", "SELECT jobs", "WITH")):
            self._cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", values)
            self._plans.append((query, self._cursor.fetchone()["QUERY PLAN"][0]["Plan"]))
        return self._cursor.execute(query, values)

    def __getattr__(self, name):
        return getattr(self._cursor, name)


def steps(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from steps(child)


def rows_looked_at(step):
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return (step["Actual Rows"] + sum(step.get(name, 0) for name in removed)) * step["Actual Loops"]


@pytest.fixture
def plans(database, monkeypatch):
    found = []
    original = Database.cursor

    @contextmanager
    def cursor(self):
        with original(self) as plain:
            yield Explaining(plain, found)

    monkeypatch.setattr(Database, "cursor", cursor)
    return found


MANY = 50_000


@pytest.mark.req("goal-13")
@pytest.mark.slow
def test_no_filter_makes_postgres_look_at_everything(database, plans):
    fill_jobs(database, MANY)
    plans.clear()
    now = datetime.now(UTC)
    alone = {
        "state": ["failed", "cancelled", "running"],
        "states": [("failed", "succeeded"), ("cancelled", "running")],
        "kind": ["train", "optimize", "dance"],
        "kinds": [("train", "optimize", "predict")],
        "labels": [{"team": "t1"}, {"batch": "b4321"}, {"campaign": "old"}, {"no": "where"}],
        "created_by": ["key:user-1", "key:rare", "key:nobody"],
        "parent_id": [new_id()],
        "created_before": [now - timedelta(milliseconds=STEP_MS * MANY // 2)],
        "created_after": [now - timedelta(milliseconds=STEP_MS * MANY // 2)],
        "q": ["set-17", "no such words", "01a1fd00", str(new_id())],
    }
    singles = [{name: value} for name, values in alone.items() for value in values]
    pairs = [{**a, **b} for a, b in itertools.combinations(singles, 2) if not a.keys() & b.keys()]
    (half,) = alone["created_before"]
    (place,) = list_jobs(database, DEFAULT_PROJECT_ID, limit=1, created_before=half)
    bound = listing.WALK + 1_000
    for given in [{}, *singles, *random.Random(0).sample(pairs, 120)]:
        for before in (None, place.id):
            plans.clear()
            list_page(database, DEFAULT_PROJECT_ID, JobFilter(**given), limit=50, before_id=before)
            assert plans
            for query, plan in plans:
                for step in steps(plan):
                    where = f"{given} {query} {step}"
                    if step.get("Relation Name") == "jobs":
                        assert step["Node Type"] != "Seq Scan", where
                        assert rows_looked_at(step) <= bound, where
                    if step["Node Type"] == "Sort":
                        fed = sum(rows_looked_at(child) for child in step["Plans"])
                        assert fed <= bound, where


# ---- while others write


class Writer(threading.Thread):
    """Makes rows of every list and moves jobs on until stopped. Not as fast as it can: a list that
    grows faster than a busy machine walks through it has no end.
    """

    _PAUSE_SECONDS = 0.01

    def __init__(self, database, seed):
        super().__init__(daemon=True)
        self.database, self.dice = database, random.Random(seed)
        self.stopped = threading.Event()
        self.error, self.written = None, 0
        self.numbers = itertools.count(1000)

    def run(self):
        try:
            while not self.stopped.wait(self._PAUSE_SECONDS):
                self.step()
        except Exception as error:  # noqa: BLE001 - told to the test
            self.error = error

    def step(self):
        job = submit(self.database, kind=self.dice.choice(KINDS), labels={"team": "a"})
        action = self.dice.randrange(4)
        if action == 0:
            request_cancel(self.database, DEFAULT_PROJECT_ID, job.id, by="test")
        elif action == 1:
            succeed(
                self.database,
                claim_job(self.database, job.id, OWNER, lease_seconds=60),
                Outcome(result={}),
            )
        elif action == 2:
            old = list_jobs(self.database, DEFAULT_PROJECT_ID, state="queued", limit=50)
            request_cancel(self.database, DEFAULT_PROJECT_ID, self.dice.choice(old).id, by="test")
        rows_of_all_lists(self.database, next(self.numbers))
        self.written += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join(30)
        assert self.error is None, self.error
        assert self.written > 0


def rows_of_all_lists(database, number):
    """A file, a data set, a model and a study; their ids."""
    job = submit(database, kind="optimize")
    with database.session() as session:
        file = FileRow(
            id=new_id(), name="f", media_type="text/csv", size=1, sha256="0" * 64, storage_key="f"
        )
        session.add(file)
        session.flush()
        dataset = DatasetRow(
            id=new_id(), name=f"d-{number}", number=1, file_id=file.id, manifest_key="m"
        )
        session.add(dataset)
        session.flush()
        model = ModelVersionRow(
            id=new_id(),
            name=f"m-{number:04}",
            number=1,
            task="regression",
            algorithm="ridge",
            hyperparameters={},
            targets=[],
            metrics={},
            dataset_id=dataset.id,
            device="cpu",
            feature_set_hash="0",
            sha256="0",
            manifest_key="m",
            training_config={},
        )
        study = StudyRow(
            id=new_id(),
            algorithm="ridge",
            metric="rmse",
            direction="minimize",
            n_trials=1,
            optuna_study_name=f"s-{number}",
            best={},
            job_id=job.id,
        )
        session.add_all([model, study])
        session.flush()
        return {
            "files": str(file.id),
            "datasets": str(dataset.id),
            "models": str(model.id),
            "studies": str(study.id),
            "registry": model.name,
        }


def walk(api, path, key="id", **params):
    """Every item of every page, following `Link` as a client of the standard does."""
    url, found = f"http://retort/api/v1/{path}", []
    while url:
        answer = api.get(url, params=params or None)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += [item[key] for item in body["items"]]
        link = answer.headers.get("link")
        assert (link is None) == (body["next_cursor"] is None)
        url = link and "http://retort" + link[1:].split(">")[0]
        params = {}
    return found


@pytest.mark.req("goal-19")
@pytest.mark.parametrize("seed", range(3))
def test_no_job_is_skipped_or_told_twice_while_others_write(api, resources, seed, short_walks):
    dice = random.Random(seed)
    before = [
        submit(resources.database, kind=dice.choice(KINDS), labels=dice.choice([{}, {"team": "a"}]))
        for _ in range(60)
    ]
    every = {str(job.id) for job in before}
    team = {str(job.id) for job in before if job.labels}
    two = {str(job.id) for job in before if job.kind in ("train", "predict")}
    with Writer(resources.database, seed):
        for limit in (1, 7, 200):
            for expected, filters in (
                (every, {}),
                (team, {"label": "team:a"}),
                (two, {"kind": ["train", "predict"]}),
                (every, {"state": list(STATES)}),
            ):
                found = walk(api, "jobs", limit=limit, **filters)
                assert expected <= set(found), "skipped"
                assert len(found) == len(set(found)), "told twice"
                assert found == sorted(found, reverse=True), "not newest first"
                assert set(found) & every == expected


@pytest.mark.req("goal-19")
def test_no_row_of_other_lists_is_skipped_or_told_twice(api, resources):
    before = [rows_of_all_lists(resources.database, n) for n in range(40)]
    with Writer(resources.database, 0):
        for path in ("files", "datasets", "models", "studies", "registry"):
            expected = {row[path] for row in before}
            by_name = path == "registry"
            for limit in (1, 9, 200):
                found = walk(api, path, "name" if by_name else "id", limit=limit)
                assert expected <= set(found)
                assert len(found) == len(set(found))
                assert found == sorted(found, reverse=not by_name)


def test_the_next_page_keeps_the_filters(api, resources):
    for n in range(9):
        submit(resources.database, kind=KINDS[n % 3], labels={"a b": "x&y"}, client_ref=f"r{n}")
    first = api.get("jobs", params={"kind": ["train", "predict"], "label": "a b:x&y", "limit": 2})
    link = first.headers["link"]
    assert link.endswith('>; rel="next"')
    assert link.count("kind=") == 2
    kinds = {
        job["kind"] for job in api.get("http://retort" + link[1:].split(">")[0]).json()["items"]
    }
    assert kinds <= {"train", "predict"}
    assert "link" not in api.get("jobs", params={"limit": 9}).headers


# ---- cursors


def cursor_of(api, path, **params):
    found = api.get(path, params={"limit": 1, **params}).json()["next_cursor"]
    assert found is not None
    return found


def test_a_cursor_is_of_one_list(api, resources):
    for n in range(3):
        submit(resources.database, labels={"n": "1"})
        rows_of_all_lists(resources.database, n)
    with resources.database.session() as session:
        stranger = create_key(session, name="s", project_id=stranger_project(resources.database))
    good = cursor_of(api, "jobs", kind="train")
    assert api.get("jobs", params={"cursor": good, "kind": "train", "limit": 7}).status_code == 200
    bare = good[:-1]
    cases = [
        ("jobs", {"cursor": good}),  # other filters
        ("jobs", {"cursor": good, "kind": "ingest"}),
        ("jobs", {"cursor": cursor_of(api, "files")}),
        ("files", {"cursor": cursor_of(api, "jobs")}),
        ("registry", {"cursor": cursor_of(api, "models")}),
        ("studies", {"cursor": cursor_of(api, "registry")}),
        *(
            ("jobs", {"cursor": text, "kind": "train"})
            for text in (
                "x",
                "",
                "!!!!",
                bare,
                good + "A",
                good[::-1],
                "é" * 20,
                str(UUID(int=0)),
                "A" * 400,
            )
        ),
    ]
    for path, params in cases:
        answer = api.get(path, params=params)
        assert answer.status_code == 422, (path, params)
        assert answer.json()["code"] == "invalid_cursor"
        assert "without a cursor" in answer.json()["remedy"]
    theirs = api.get(
        "jobs",
        params={"cursor": good, "kind": "train"},
        headers={"Authorization": f"Bearer {stranger.text}"},
    )
    assert theirs.status_code == 422


@pytest.mark.parametrize(
    "params",
    [
        {"state": "dancing"},
        {"created_after": "yesterday"},
        {"created_after": "2026-11-21T10:00:00"},  # without a zone
        {"parent_id": "7"},
        {"q": "x"},
        {"q": "x" * 101},
        {"label": ["a:b"] * 21},
        {"kind": ["a"] * 21},
        {"limit": "201"},
    ],
)
def test_bad_filters_are_named(api, params):
    answer = api.get("jobs", params=params)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"


def test_filters_with_strange_characters(api, resources):
    submit(resources.database, labels={"a": "50%_\\"}, client_ref="tab\tx")
    assert len(api.get("jobs", params={"label": "a:50%_\\"}).json()["items"]) == 1
    assert api.get("jobs", params={"q": "%%"}).json()["items"] == []
    assert api.get("jobs", params={"created_after": "0001-01-01T00:00:00Z"}).status_code == 200
    assert api.get("jobs", params={"created_before": "9999-12-31T23:59:59Z"}).status_code == 200
