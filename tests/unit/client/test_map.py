"""Predictions of many inputs: chunks at the same time, answers in order, one bad one alone."""

import asyncio
import json
import threading
import time

import httpx
import pytest

from retort import AsyncRetort, NotFound, Retort, WrongInput
from retort.testing import FakeRetort


@pytest.fixture
def client():
    client = FakeRetort()
    client.datasets.create([{"smiles": "CCO", "y": 1}], "d", target="y")
    client.train("d").result()
    client.server.calls.clear()
    return client


def test_an_input_that_the_server_refuses_fails_alone(client):
    smiles = ["CCO"] * 60
    smiles[17] = "C" * 6_000
    found = client.map("d", smiles).results()
    assert [n for n, item in enumerate(found) if not item.ok] == [17]
    assert "5,000" in found[17].reason
    assert found[17].input == smiles[17]
    assert len(client.server.calls) > 2


def test_an_error_that_is_not_of_an_input_is_raised(client):
    with pytest.raises(NotFound):
        list(client.map("nothing", ["CCO"]))


def test_inputs_that_are_all_of_the_wrong_kind_are_a_mistake_of_the_call():
    asked = []

    def handle(request):
        asked.append(json.loads(request.content)["inputs"])
        wrong = [n for n, given in enumerate(asked[-1]) if isinstance(given, str)]
        if not wrong:
            items = [{"input": i, "status": "ok", "targets": {}} for i in asked[-1]]
            return httpx.Response(200, json={"predictions": items})
        errors = [{"pointer": f"/inputs/{n}/features", "code": "m", "detail": "d"} for n in wrong]
        problem = {"code": "wrong_input", "detail": "it predicts from rows", "errors": errors[:20]}
        return httpx.Response(422, json=problem)

    client = Retort("http://x", "k", transport=httpx.MockTransport(handle))
    with pytest.raises(WrongInput):
        client.map("churn", ["CCO"] * 50).results()
    assert len(asked) == 1
    mixed = client.map("churn", [{"tenure": 1}, "CCO", {"tenure": 2}]).results()
    assert [item.ok for item in mixed] == [True, False, True]


def slow_server():
    now, most, lock = 0, 0, threading.Lock()
    seen = []

    def begin(request):
        nonlocal now, most
        inputs = json.loads(request.content)["inputs"]
        with lock:
            now, most = now + 1, max(most, now + 1)
            seen.append(len(inputs))
        return inputs

    def end(inputs):
        nonlocal now
        with lock:
            now -= 1
        items = [
            {"input": i, "status": "ok", "targets": {"y": {"value": float(i)}}} for i in inputs
        ]
        return httpx.Response(200, json={"predictions": items})

    return begin, end, lambda: most, seen


def numbers(taken, count=400):
    for n in range(count):
        taken.append(n)
        yield str(n)


def test_chunks_are_in_flight_together_and_bounded_and_inputs_are_read_as_needed():
    begin, end, most, _ = slow_server()

    def handle(request):
        inputs = begin(request)
        time.sleep(0.05 if inputs[0] != "0" else 0.3)  # the first is the slowest
        return end(inputs)

    taken = []
    client = Retort("http://x", "k", transport=httpx.MockTransport(handle))
    stream = client.map("m", numbers(taken), chunk=10, concurrency=3)
    first = next(stream)
    assert first.value == 0.0
    assert len(taken) <= 40, "only what is in flight was read"
    assert [item.value for item in stream] == [float(n) for n in range(1, 400)]
    assert most() == 3
    assert stream.done == 400


def test_the_same_for_the_client_that_awaits():
    begin, end, most, seen = slow_server()

    async def handle(request):
        inputs = begin(request)
        await asyncio.sleep(0.02 if inputs[0] != "0" else 0.2)
        return end(inputs)

    async def run():
        async with AsyncRetort("http://x", "k", transport=httpx.MockTransport(handle)) as client:
            return await client.map("m", numbers([]), chunk=100, concurrency=4).results()

    found = asyncio.run(run())
    assert [item.value for item in found] == [float(n) for n in range(400)]
    assert most() == 4
    assert seen == [100] * 4
