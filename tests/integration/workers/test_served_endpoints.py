"""Predictions through endpoints, by a real serving process: shares, shadows, fallback, change."""

import os
import signal
import threading
import time
from collections import Counter
from uuid import UUID

import pytest

from app.history.sink import drain
from app.prediction.loading import model_cache
from tests.support.inline import work_off
from tests.support.served_models import altered, post, train
from tests.support.serving import new_pid
from tests.support.waiting import wait_for
from workers.serving.server import Server


@pytest.fixture
def versions(resources, dataset):
    """mols:1, which has learned, and mols:2 and mols:3, which say nearly the mean."""
    return [train(resources, dataset, alpha=alpha) for alpha in (1e-6, 1e7, 1e8)]


@pytest.fixture(autouse=True)
def checks(answering):
    """Models are checked before an endpoint takes them up."""


def make(api, *routes, name="e", status=201, **fields):
    answer = api.post("endpoints", json={"name": name, "routes": list(routes), **fields})
    assert answer.status_code == status, answer.text
    return answer.json()


def change(api, *routes, **fields):
    answer = api.put(
        "endpoints/e", json={"routes": list(routes), **fields}, headers={"If-Match": "*"}
    )
    assert answer.status_code == 200, answer.text


def route(version, weight=100, **fields):
    return {"model": f"mols:{version}", "weight": weight, **fields}


def shadow(version, **fields):
    return {"model": f"mols:{version}", "mode": "shadow", **fields}


def minutes(resources):
    """{(version, mode): [requests, errors]} of the endpoint, when it has been told."""
    time.sleep(1.5)
    query = (
        "SELECT number, mode, sum(requests)::int AS n, sum(errors)::int AS bad"
        " FROM endpoint_minutes m JOIN models ON models.id = m.model_id GROUP BY 1, 2"
    )
    with resources.database.cursor() as cursor:
        cursor.execute(query)
        return {(r["number"], r["mode"]): [r["n"], r["bad"]] for r in cursor.fetchall()}


def stored(resources):
    drain(resources)
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT model_number, mode, endpoint_revision, output FROM predictions")
        return cursor.fetchall()


def test_an_endpoint_answers_with_the_version_that_it_names(api, server, resources, versions):
    make(api, route(1))
    found = post(api, "CCO", model="endpoint:e")
    assert found["model"]["number"] == 1
    assert found["endpoint"] == {"name": "e", "revision": 1}
    direct = post(api, "CCO", model="mols:1")
    assert found["predictions"][0]["targets"] == direct["predictions"][0]["targets"]
    assert "endpoint" not in direct
    assert minutes(resources)[1, "live"] == [1, 0]
    assert post(api, "CCO", model="endpoint:nope", status=404)["code"] == "not_found"
    assert post(api, "CCO", model="endpoint:", status=422)["code"] == "invalid_reference"


def test_what_becomes_a_job_is_predicted_by_the_version_that_would_answer(api, resources, versions):
    make(api, route(2, 0), route(3, 100))
    for fields, headers in (
        ({}, {"Prefer": "respond-async"}),
        ({"fallback": "job"}, {"Prefer": "wait=0.2"}),
    ):
        job = post(api, "CCO", model="endpoint:e", status=202, headers=headers, **fields)
        work_off(resources, kinds={"predict"})
        ended = api.get(f"jobs/{job['id']}").json()
        assert ended["state"] == "succeeded", ended["error"]
        assert ended["params"]["model_id"] == str(versions[2]["model_id"])
    wrong = post(api, "CCO", model="endpoint:nope", status=404, headers=headers, **fields)
    assert wrong["code"] == "not_found"


def test_shares_are_kept_and_a_key_stays_with_its_model(api, server, versions):
    make(api, route(1, 70), route(2, 30))
    post(api, "CCO", model="mols:2")
    by_key = {}
    for n in range(300):
        found = post(api, "CCO", model="endpoint:e", headers={"X-Retort-Key": f"k{n}"})
        by_key[f"k{n}"] = found["model"]["number"]
    shares = Counter(by_key.values())
    assert 58 <= shares[2] <= 124, "300 draws of 0.3: within four standard deviations"
    for key in list(by_key)[:20]:
        again = post(api, "CCC", model="endpoint:e", sticky_key=key)
        assert again["model"]["number"] == by_key[key]


def test_a_shadow_is_stored_and_never_returned(api, server, resources, versions):
    make(api, route(1), shadow(2))
    for n in range(1, 6):
        found = post(api, "C" * n + "O", model="endpoint:e")
        assert found["model"]["number"] == 1
    end = time.monotonic() + 20
    while len(stored(resources)) < 10:
        assert time.monotonic() < end
        time.sleep(0.2)
    rows = stored(resources)
    assert Counter((r["model_number"], r["mode"]) for r in rows) == {
        (1, "live"): 5,
        (2, "shadow"): 5,
    }
    values = {r["mode"]: r["output"]["targets"]["y"]["value"] for r in rows}
    assert values["live"] != values["shadow"]
    assert minutes(resources)[2, "shadow"] == [5, 0]


def test_a_serving_process_that_starts_loads_what_endpoints_name(api, resources, versions):
    make(api, route(1), shadow(3))
    model_cache.cache_clear()  # the models were checked in this process
    here = Server(resources)
    thread = threading.Thread(target=here.run, daemon=True)
    thread.start()
    try:
        live, other, shadowed = (UUID(version["model_id"]) for version in versions)
        wait_for(lambda: shadowed in model_cache(resources), "the endpoint's models", 60)
        assert live in model_cache(resources)
        assert other not in model_cache(resources)
    finally:
        here.stop()
        thread.join()


def test_what_is_remembered_is_stored_without_an_endpoint(api, server, resources, versions):
    post(api, "CCO", "C1CC(", model="mols:1", remember=True)
    post(api, "CCN", model="mols:1")
    end = time.monotonic() + 10
    while len(rows := stored(resources)) < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert sorted(r["output"]["status"] for r in rows) == ["error", "ok"]
    assert {r["endpoint_revision"] for r in rows} == {None}


def test_the_fallback_steps_in_for_a_model_that_cannot_be_loaded(api, server, resources, versions):
    make(api, route(2), fallback={"model": "mols:1", "when": ["error"]})
    altered(resources, versions[1])
    refused = api.post("endpoints", json={"name": "f", "routes": [route(2)]})
    assert (refused.status_code, refused.json()["code"]) == (409, "model_altered")
    before = server.pid
    os.kill(before, signal.SIGKILL)  # it may have loaded the model when the endpoint was made
    new_pid(server, before)
    found = post(api, "CCO", model="endpoint:e")
    assert found["model"]["number"] == 1
    assert found["fallback"]["cause"] == "error"
    assert found["fallback"]["inputs"] == [0]
    told = minutes(resources)
    assert (told[2, "live"], told[1, "fallback"]) == ([1, 1], [1, 0])
    answer = api.put("endpoints/e", json={"routes": [route(1)]}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    assert post(api, "CCO", model="endpoint:e")["model"]["number"] == 1


def test_the_fallback_answers_what_lies_outside_of_the_domain(api, server, versions):
    make(api, route(1), fallback={"model": "mols:2", "when": ["out_of_domain"]})
    strange = "O=S(=O)(c1ccccc1)N1CCN(CC1)c1ncnc2sccc12"
    direct = post(api, strange, model="mols:1")["predictions"][0]
    assert not direct["domain"]["inside"]
    found = post(api, "CCCCO", strange, model="endpoint:e")
    assert found["model"]["number"] == 1
    assert found["fallback"] == {
        "model": {**found["fallback"]["model"], "number": 2},
        "cause": "out_of_domain",
        "inputs": [1],
    }
    other = post(api, strange, model="mols:2")["predictions"][0]
    assert found["predictions"][1]["targets"] == other["targets"]


def test_what_an_endpoint_serves_cannot_be_put_away(api, resources, versions):
    api.put("registry/mols/aliases/live", json={"version": 2}).raise_for_status()
    make(api, {"model": "mols@live", "pin": False})
    refused = api.delete("models/mols:2")
    assert (refused.status_code, refused.json()["code"]) == (409, "model_in_use")
    assert {error["detail"] for error in refused.json()["errors"]} == {
        "alias mols@live",
        "endpoint e",
    }
    followed = api.delete("registry/mols/aliases/live")
    assert (followed.status_code, followed.json()["code"]) == (409, "model_in_use")
    assert api.get("models/mols:2/lineage").json()["endpoints"] == ["e"]
    api.delete("endpoints/e", headers={"If-Match": "*"}).raise_for_status()
    api.delete("registry/mols/aliases/live").raise_for_status()
    assert api.delete("models/mols:2").json()["state"] == "archived"
