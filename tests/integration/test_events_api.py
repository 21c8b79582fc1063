"""Events of real work over HTTP: each as its schema says; pages, filters, the stream."""

import asyncio
import re

import jsonschema
import orjson
import pytest

from api.routes.events import _begin, _stream
from app.db.base import DEFAULT_PROJECT_ID
from app.events.publisher import publish
from app.events.reading import Wanted
from app.jobs.submit import NewJob, submit_job
from tests.integration.test_events import claim, tell
from tests.support.event_checks import check_envelope
from tests.support.gateway import calling
from tests.support.worker_here import WorkerHere

ROWS = "".join(f"{'C' * n}O,{n}\n" for n in range(1, 41))


@pytest.fixture
def worker(resources, monkeypatch):
    here = WorkerHere(resources)
    monkeypatch.setattr(here.celery, "send_task", here.answer)
    return here


def events(api, **query):
    found, cursor = [], None
    while True:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        page = api.get("events", params=params)
        assert page.status_code == 200, page.text
        found += page.json()["items"]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return found


def post(api, kind, params, **fields):
    answer = api.post("jobs", json={"kind": kind, "params": params, **fields})
    assert answer.status_code in (201, 202), answer.text
    return answer.json()["id"]


@pytest.mark.req("S0-03", "S0-07", "S0-13", "S0-17", "goal-16")
def test_a_life_of_a_model_is_told_and_each_event_is_as_its_schema_says(resources, api, worker):
    files = {"file": ("mols.csv", f"smiles,y\n{ROWS}".encode())}
    file_id = api.post("files", files=files).json()["id"]
    learn = {
        "dataset": "mols",
        "targets": ["y"],
        "features": [{"name": "morgan_counts"}],
        "split": {"name": "random"},
    }
    roles = {"smiles": "smiles", "y": "target"}
    ingest = {"file_id": file_id, "name": "mols", "roles": roles}
    forest = {"name": "random_forest", "params": {"n_estimators": 5}}
    fields = {"correlation_id": "c-7", "client_ref": "mine", "labels": {"lab": "a"}}
    for kind, params in (
        ("ingest", ingest),
        ("featurize", {k: learn[k] for k in ("dataset", "features")}),
        ("train", {**learn, "algorithm": forest, "name": "m", "alias": "champion"}),
        ("optimize", {**learn, "algorithm": "ridge", "n_trials": 2, "name": "m"}),
        ("evaluate", {"model": "m:1"}),
        ("predict", {"model": "m:1", "file_id": file_id}),
    ):
        post(api, kind, params, **fields)
        worker.run_all()
    assert api.put("registry/m/aliases/champion", json={"version": 2}).status_code == 200
    spec = {"name": "e", "routes": [{"model": "m:1"}]}
    assert api.post("endpoints", json=spec).status_code == 201
    publish(resources.database, resources.redis)
    found = events(api, limit=7)
    for event in found:
        check_envelope(event)
    types = {event["type"] for event in found}
    assert types >= {
        "JobStateChanged",
        "DatasetIngested",
        "FeatureVectorsCalculated",
        "ModelTrainingStarted",
        "ModelTrained",
        "TrainingOptimized",
        "ModelEvaluated",
        "PropertiesPredicted",
        "ModelPromoted",
        "EndpointRevised",
    }, types
    of_jobs = [event for event in found if event["subject"].startswith("jobs/")]
    assert {event["correlationid"] for event in of_jobs} == {"c-7"}
    assert {event["data"]["id"] for event in of_jobs} == {"mine"}
    trained = [event["data"] for event in found if event["type"] == "ModelTrained"][-1]
    assert (trained["name"], trained["version"]) == ("m", 1)
    assert trained["property"]["name"] == "y"
    assert trained["dataset"]["title"] == "mols:1"
    assert trained["metrics"]["mean"]
    (predicted,) = [event["data"] for event in found if event["type"] == "PropertiesPredicted"]
    assert api.get(f"files/{predicted['file_id']}").json()["name"] == predicted["file_name"]
    assert predicted["counts"]["rows_ok"] == 40
    moved = next(event["data"] for event in found if event["type"] == "ModelPromoted")
    assert (moved["from_version"], moved["to_version"]) == (1, 2)
    entries = resources.redis.xrange("events")
    assert [orjson.loads(e[b"event"]) for _, e in entries] == found[::-1]


def test_lists_are_filtered_and_paged_newest_first(resources, api):
    for n in range(5):
        tell(resources.database, "a" if n % 2 else "b", n)
    publish(resources.database, resources.redis)
    assert [e["data"]["webhook_id"] for e in events(api, limit=2)] == ["4", "3", "2", "1", "0"]
    assert [e["data"]["webhook_id"] for e in events(api, limit=1, subject="a")] == ["3", "1"]
    assert events(api, type="ModelTrained") == []
    assert len(events(api, since="2020-01-01T00:00:00Z")) == 5
    assert events(api, since="2100-01-01T00:00:00Z") == []
    page = api.get("events").json()
    assert page["newest_seq"] == 5
    for event in page["items"]:
        check_envelope(event)


def test_an_unknown_type_is_refused_with_the_nearest(api):
    answer = api.get("events", params={"type": "ModelTraned"})
    assert answer.status_code == 422
    assert "ModelTrained" in answer.json()["remedy"]


def test_another_project_sees_nothing(resources, api):
    tell(resources.database, "a", 1)
    publish(resources.database, resources.redis)
    from app.access.keys import create_key
    from app.db.projects import ProjectRow

    with resources.database.session() as session:
        project = ProjectRow(name="other")
        session.add(project)
        session.flush()
        key = create_key(session, name="stranger", project_id=project.id)
    headers = {"Authorization": f"Bearer {key.text}"}
    assert api.get("events", headers=headers).json()["items"] == []


def test_the_stream_goes_on_where_it_was_left(resources):
    database = resources.database
    wanted = Wanted(project_id=DEFAULT_PROJECT_ID, subject="a")

    async def take(count, place):
        found = []
        async for event in _stream(database, wanted, place):
            found.append(event)
            if len(found) == count:
                return found
        return found

    for n in range(3):
        tell(database, "a", n)
        tell(database, "b", n)
    publish(database, resources.redis)
    first = asyncio.run(take(2, 0))
    assert [event.event for event in first] == ["WebhookTested"] * 2
    place = _begin(database, first[-1].id, None)
    (last,) = asyncio.run(take(1, place))
    assert orjson.loads(last.data)["data"]["webhook_id"] == "2"
    assert int(last.id) > int(first[-1].id)
    assert _begin(database, None, None) == 6
    assert _begin(database, "no number", None) == 6


def test_schemas_and_asyncapi_are_open_to_all(resources):
    with calling(resources, base="/") as client:
        del client.headers["Authorization"]
        items = client.get("schemas").json()["items"]
        assert len(items) > 30
        for item in items:
            schema = client.get(item["schema_path"]).json()
            jsonschema.Draft202012Validator.check_schema(schema)
        assert client.get("/schemas/Nothing/1").status_code == 404
        document = client.get("asyncapi.json").json()
        assert document["asyncapi"] == "3.0.0"
        assert re.fullmatch(r"[\w.:-]+", document["servers"]["gateway"]["host"])


def test_submitting_writes_no_event(resources):
    """The hot path: its first state is the answer itself (docs/decisions)."""
    database = resources.database
    new = NewJob(
        project_id=DEFAULT_PROJECT_ID, kind="train", queue="cpu", params={}, created_by="k"
    )
    job = submit_job(database, new).job
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) AS n FROM events")
        assert cursor.fetchone()["n"] == 0
    claim(database, job)
