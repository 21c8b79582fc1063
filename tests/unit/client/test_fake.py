"""The contract on the server in memory, through the client that waits and the one that awaits."""

import asyncio

import httpx
import pytest

from retort import JobFailed, TimedOut
from retort.testing import AsyncFakeRetort, FakeRetort, FakeServer
from tests.support.blocking import Blocking
from tests.support.client_contract import *  # noqa: F403 - the suite

pytestmark = pytest.mark.req("goal-99")


@pytest.fixture(scope="module", params=["sync", "async"])
def client(request):
    server = FakeServer()
    if request.param == "sync":
        with FakeRetort(server) as client:
            yield client
    else:
        with Blocking(AsyncFakeRetort(server)) as client:
            yield client


def test_a_job_fails_as_it_was_told():
    client = FakeRetort()
    client.datasets.create([{"smiles": "CCO", "y": 1}], "d", target="y")
    client.server.fail_next("train", code="out_of_memory", detail="too large")
    with pytest.raises(JobFailed, match="too large") as failed:
        client.train("d").result()
    assert failed.value.code == "out_of_memory"
    assert client.train("d").result()["ref"] == "d:1"


def test_troubles_are_met_and_overcome():
    client = FakeRetort()
    client.server.trouble_next(503, httpx.ConnectError("away"), 429)
    assert client.about()["fake"] is True
    assert len(client.server.slept) == 3


def test_a_held_server_leaves_jobs_as_they_are():
    client = FakeRetort()
    dataset = client.datasets.create([{"smiles": "CCO", "y": 1}], "d", target="y")
    client.server.hold()
    job = client.train(dataset)
    assert job.refresh().refresh().state == "queued"
    client.server.release()
    assert job.refresh().state == "running"
    assert job.refresh().state == "succeeded"


def test_waiting_has_an_end_and_the_job_runs_on():
    client = FakeRetort()
    dataset = client.datasets.create([{"smiles": "CCO", "y": 1}], "d", target="y")
    client.server.hold()
    job = client.train(dataset)
    with pytest.raises(TimedOut, match="runs on"):
        job.result(timeout=0.05)
    client.server.release()
    assert job.result(timeout=30)["ref"] == "d:1"


def test_predictions_are_marked_as_fake_and_never_change():
    def value(server):
        client = FakeRetort(server)
        client.datasets.create([{"smiles": "CCO", "y": 1}], "d", target="y")
        client.train("d").result()
        return client.predict("d", ["CCO"])[0]

    first, second = value(FakeServer()), value(FakeServer())
    assert first["fake"] is True
    assert first.value == second.value


def test_both_clients_may_share_a_server():
    server = FakeServer()
    FakeRetort(server).datasets.create([{"smiles": "CCO", "y": 1}], "d", target="y")

    async def names():
        async with AsyncFakeRetort(server) as client:
            return [dataset.ref async for dataset in client.datasets.list()]

    assert asyncio.run(names()) == ["d:1"]


def test_predictions_are_remembered_only_when_asked():
    fake = FakeRetort()
    fake.datasets.create([{"smiles": "CCO", "y": 1.0}] * 5, "d", target="y")
    fake.train("d", target="y").wait()
    fake.predict("d", ["CCO"])
    assert list(fake.past_predictions.list()) == []
    fake.predict("d", ["CCO", "CCN"], remember=True)
    fake.predict("d", ["C"] * 150, remember=True)
    assert len(list(fake.past_predictions.list())) == 152
    assert len(list(fake.past_predictions.list(structure="CCO"))) == 1
    assert fake.past_predictions.latest("CCN")["models_used"] == ["d:1"]
    assert fake.past_predictions.cache_statistics()["hits"] > 0
    assert fake.past_predictions.remove_all(structure="C") == 150
    assert len(list(fake.past_predictions.list(model="d"))) == 2
