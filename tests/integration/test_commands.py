"""Commands from a Redis stream: a job each, once each, or a problem that says why not."""

import orjson
import pytest

from app.commands import door, stream
from app.commands.stream import DEAD, GROUP, STREAM, take
from app.db.base import DEFAULT_PROJECT_ID
from app.db.projects import ProjectRow

pytestmark = pytest.mark.req("goal-17")


@pytest.fixture
def sent():
    return []


@pytest.fixture
def dataset(api):
    """Its ingestion is queued, which is enough to name it... by a job that waits for nothing."""
    rows = "".join(f"{'C' * n}O,{n}\n" for n in range(1, 30))
    files = {"file": ("mols.csv", f"smiles,y\n{rows}".encode())}
    return api.post("files", files=files).json()["id"]


@pytest.fixture
def ready(api, dataset, resources, monkeypatch):
    """The data set `mols`, ingested."""
    from tests.support.worker_here import WorkerHere

    worker = WorkerHere(resources)
    monkeypatch.setattr(worker.celery, "send_task", worker.answer)
    body = {"kind": "ingest", "params": {"file_id": dataset, "name": "mols"}}
    assert api.post("jobs", json=body).status_code in (201, 202)
    worker.run_all()
    return "mols"


def command(redis, type_="CalculateFeatureVectors", **fields):
    body = {"type": type_, "id": "c1", "user_id": "ada", "correlation_id": "k", **fields}
    return redis.xadd(STREAM, {"command": orjson.dumps(body)})


def jobs(api, **query):
    return api.get("jobs", params={"kind": "featurize", **query}).json()["items"]


def dead(redis):
    return [
        (fields[b"command"], orjson.loads(fields[b"problem"])) for _, fields in redis.xrange(DEAD)
    ]


def unfinished(redis):
    return redis.xpending(STREAM, GROUP)["pending"]


@pytest.mark.req("S0-02", "S0-17")
def test_a_command_is_a_job_and_the_same_again_is_the_same(resources, api, ready, sent):
    redis = resources.redis
    for _ in range(3):
        command(redis, dataset_id=ready)
    assert take(resources, "one", sent.append) == 3
    (job,) = jobs(api)
    assert (job["client_ref"], job["correlation_id"]) == ("c1", "k")
    assert job["created_by"] == "command:ada"
    assert [str(one.id) for one in sent] == [job["id"]]
    assert (unfinished(redis), dead(redis)) == (0, [])


@pytest.mark.req("S0-06", "S0-12")
def test_each_name_is_known_and_what_cannot_be_is_buried_with_its_problem(resources, api, sent):
    redis = resources.redis
    bad = {
        "unknown_name": {"type_": "TrainModle"},
        "not_found": {"type_": "TrainModel", "dataset_id": "nothing"},
        "invalid_input": {"type_": "PredictProperties"},
    }
    for n, fields in enumerate(bad.values()):
        command(redis, **{"id": f"b{n}", **fields})
    command(redis, "OptimizeTraining", id="b7", dataset_id="x", params={"folds": "many"})
    redis.xadd(STREAM, {"command": b"{not json"})
    redis.xadd(STREAM, {"other": b""})
    assert take(resources, "one", sent.append) == 6
    codes = [problem["code"] for _, problem in dead(redis)]
    assert codes == [*bad, "invalid_request", "invalid_input", "invalid_input"]
    problems = [problem for _, problem in dead(redis)]
    assert problems[2]["errors"][0]["pointer"] == "/model_id"
    assert "TrainModel" in problems[0]["remedy"]
    assert (unfinished(redis), sent) == (0, [])


class Killed(BaseException):
    """Stands for SIGKILL."""


def test_what_a_dead_consumer_held_is_taken_by_another_and_makes_no_second_job(
    resources, api, ready, sent
):
    redis = resources.redis
    command(redis, dataset_id=ready)

    def die(_):
        raise Killed

    with pytest.raises(Killed):
        take(resources, "dead", die)
    assert unfinished(redis) == 1
    assert take(resources, "alive", sent.append) == 0
    assert take(resources, "alive", sent.append, abandoned_ms=0) == 1
    assert len(jobs(api)) == 1
    assert unfinished(redis) == 0


def test_what_nobody_can_finish_is_buried(resources, api, ready, sent, monkeypatch):
    redis = resources.redis
    monkeypatch.setattr(stream, "_MOST_TIMES", 2)
    command(redis, dataset_id=ready)

    def die(_):
        raise Killed

    def break_down(*_, **__):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(door, "submit_command", break_down)
        for _ in range(2):
            with pytest.raises(Killed):
                take(resources, "dead", die, abandoned_ms=0)
    take(resources, "alive", sent.append, abandoned_ms=0)
    ((_, problem),) = dead(redis)
    assert problem["code"] == "internal_error"
    assert unfinished(redis) == 0


def test_without_a_stream_nothing_is_made(resources, sent):
    assert take(resources, "one", sent.append) == 0
    assert not resources.redis.exists(STREAM)


def test_what_a_quota_holds_back_waits_and_is_not_buried(resources, api, ready, sent):
    """Its project may have no job waiting; later it may."""
    redis = resources.redis
    command(redis, dataset_id=ready)
    for limit, left, made in ((0, 1, 0), (None, 0, 1)):
        with resources.database.session() as session:
            project = session.get_one(ProjectRow, DEFAULT_PROJECT_ID)
            project.quota = {} if limit is None else {"queued_jobs": limit}
        take(resources, "c", sent.append, abandoned_ms=0)
        assert (unfinished(redis), len(jobs(api)), dead(redis)) == (left, made, [])
