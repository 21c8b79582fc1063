"""Predictions at once, over HTTP, by a real serving process: batches, caches, deaths, outages."""

import concurrent.futures
import os
import signal
import threading
import time
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
import redis
from rdkit import Chem

from app.access.keys import create_key
from app.core.ids import new_id
from app.models.bundle import ModelBundle
from app.models.warming import warm
from app.prediction.answer_cache import answer_key, input_key
from app.prediction.loading import model_cache
from tests.support.cluster import ROOT
from tests.support.gateway import calling
from tests.support.served_models import altered, post, train
from tests.support.serving import new_pid, serving
from tests.support.waiting import wait_for
from workers.serving.in_hand import InHand, InHandFile
from workers.serving.protocol import FIRST, QUESTIONS, Question, decode_answers
from workers.serving.server import Server

CRASHES, HANGS = "FC(F)(F)I", "ClC(Cl)(Cl)I"


@pytest.fixture
def model(resources, dataset):
    return train(resources, dataset)


def stored(resources, model):
    return ModelBundle.load(resources.storage, f"models/{model['model_id']}/manifest.json")


def asked_of(model, ids, smiles=("CCO",), **given):
    """A question of these molecules for each id."""
    return [
        Question(
            id=id_,
            reply_to="serving:answers:test",
            until=time.time() + 120,
            model_id=UUID(model["model_id"]),
            inputs=[{"smiles": text} for text in smiles],
            **given,
        )
        for id_ in ids
    ]


def pushed(resources, name, questions):
    resources.redis.rpush(name, *(question.encode() for question in questions))


def test_the_answer_is_the_models_own(api, server, resources, model):
    given = ["CCO", {"smiles": "OCC", "id": "mine"}, "C1CC(", "CCCCCCN"]
    found = post(api, *given)
    said = stored(resources, model).predict(["CCO", "OCC", "C1CC(", "CCCCCCN"])
    values = [p["targets"]["y"]["value"] for p in found["predictions"] if p["status"] == "ok"]
    np.testing.assert_allclose(values, said.predictions.values[:, 0])
    assert [p["id"] for p in found["predictions"]] == [None, "mine", None, None]
    assert [p["input"] for p in found["predictions"]] == ["CCO", "OCC", "C1CC(", "CCCCCCN"]
    bad = found["predictions"][2]
    assert (bad["status"], bad["targets"]) == ("error", {})
    assert "syntax" in bad["reason"]
    low, high = found["predictions"][0]["targets"]["y"]["interval"]
    assert low < values[0] < high
    assert found["model"]["number"] == 1


def test_the_same_input_again_in_one_request_is_answered_at_each_place(api, server, model):
    given = ["CCO", {"smiles": "CCO", "id": "mine"}, "C1CC(", "CCN", "C1CC(", "CCO"]
    found = post(api, *given, remember=True)["predictions"]
    assert [p["input"] for p in found] == ["CCO", "CCO", "C1CC(", "CCN", "C1CC(", "CCO"]
    assert [p["id"] for p in found] == [None, "mine", None, None, None, None]
    first, second, bad, other, again, last = ({**p, "id": None} for p in found)
    assert first == second == last
    assert bad == again
    assert other["targets"] != first["targets"]


def known(api, text):
    """The answer as soon as it comes from the cache: it is kept after it was given."""
    return wait_for(
        lambda: next((p for p in post(api, text)["predictions"] if p["cached"]), None),
        f"the answer of {text} is known",
        30,
    )


def test_what_was_asked_before_is_known_by_input_and_by_structure(api, server, model):
    fresh = post(api, "CCCO")["predictions"][0]
    assert not fresh["cached"]
    again = known(api, "CCCO")
    other = post(api, "OCCC")["predictions"][0]
    assert other["cached"], "by its structure, at once"
    told = ("targets", "domain", "canonical_smiles", "status")
    assert [fresh[k] for k in told] == [again[k] for k in told] == [other[k] for k in told]
    assert other["input"] == "OCCC"
    assert not post(api, "CCCO", force_recompute=True)["predictions"][0]["cached"]
    assert not post(api, "not a molecule")["predictions"][0]["cached"]
    assert known(api, "not a molecule")["status"] == "error"


def test_asked_twice_is_half_known_by_the_rate_and_by_the_counter(resources, server, model):
    def shown():
        told = client.get("admin/prediction-cache", headers=admin).json()
        return (told["hits"], told["misses"]) == (1, 1) and told

    with resources.database.session() as session:
        admin = {"Authorization": f"Bearer {create_key(session, name='a', is_admin=True).text}"}
    with calling(resources) as client:
        post(client, "CCCO")
        key = answer_key(model["model_id"], input_key({"smiles": "CCCO"}))
        wait_for(lambda: resources.cache.exists(key), "the answer is kept", 30)
        assert post(client, "CCCO")["predictions"][0]["cached"]
        told = wait_for(shown, "hits are counted each second", 30)
        assert told["hit_rate"] == 0.5
        assert [(m["model"]["id"], m["hit_rate"]) for m in told["models"]] == [
            (model["model_id"], 0.5)
        ]
        registry = client.gateway.state.telemetry.registry
    for known in ("hit", "miss"):
        labels = {"cache": known}
        assert registry.get_sample_value("retort_predicted_inputs_total", labels) == 1


def test_known_answers_need_no_serving_process(api, resources, model):
    key = answer_key(model["model_id"], input_key({"smiles": "CCO"}))
    resources.cache.set(key, b',"status":"ok","reason":null')
    (found,) = post(api, "CCO")["predictions"]
    assert found == {"id": None, "input": "CCO", "status": "ok", "reason": None, "cached": True}


def test_many_callers_at_once_are_each_answered_their_own(api, server, resources, model):
    post(api, "C")
    asked = [f"{'C' * (n % 12 + 1)}{'N' * (n % 2)}" for n in range(200)]
    expected = stored(resources, model).predict(asked).predictions.values[:, 0]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda s: post(api, s, force_recompute=True), asked))
    values = [one["predictions"][0]["targets"]["y"]["value"] for one in found]
    # float32 matrix products of other batch sizes end in other last bits
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert [one["predictions"][0]["input"] for one in found] == asked


def test_one_callers_mistake_is_nobody_elses(api, server, model):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        bad = [pool.submit(post, api, {"features": {"a": 1}}, status=422) for _ in range(4)]
        good = [pool.submit(post, api, "CCO", force_recompute=True) for _ in range(4)]
    assert {job.result()["code"] for job in bad} == {"wrong_input"}
    assert {job.result()["predictions"][0]["status"] for job in good} == {"ok"}


def test_a_name_means_the_new_version_as_soon_as_it_is_promoted(
    api, server, resources, dataset, answering
):
    train(resources, dataset, alpha=1e-6)
    assert post(api, "CCO")["model"]["number"] == 1
    train(resources, dataset, alpha=1e6)  # the newest, while there is no champion
    assert post(api, "CCO")["model"]["number"] == 2
    for version in (1, 2, 1):
        answer = api.put("registry/mols/aliases/champion", json={"version": version})
        assert answer.status_code == 200, answer.text
        found = post(api, "CCO")
        assert found["model"]["number"] == version
        value = found["predictions"][0]["targets"]["y"]["value"]
        other = post(api, "CCO", model=f"mols:{version}")["predictions"][0]
        assert value == other["targets"]["y"]["value"], "an answer of that very version"
    api.delete("registry/mols/aliases/champion")
    assert post(api, "CCO")["model"]["number"] == 2


def test_without_the_cache_everything_is_still_answered(api, server, resources, model):
    post(api, "CCO")
    known(api, "CCO")
    post(api, "CCCN")  # who answers this has put everything before it into the cache
    resources.cache.flushdb()
    assert not post(api, "CCO")["predictions"][0]["cached"]
    assert known(api, "CCO")


def test_an_altered_model_is_refused_and_others_go_on(api, server, resources, dataset, model):
    train(resources, dataset, name="other")
    altered(resources, model)
    refused = post(api, "CCO", status=409)
    assert refused["code"] == "model_altered"
    assert "target-0" in refused["detail"]
    assert post(api, "CCO", model="other")["predictions"][0]["status"] == "ok"


# ---- what kills


@pytest.fixture
def probe(resources, dataset, monkeypatch, retort_environment):
    """A model whose featurizer aborts the process on one molecule, and never ends on another."""
    from app.core.settings import get_settings
    from app.featurizers.base import featurizers

    featurizers.get("maccs")  # the others are there before the folder is known
    folder = str(ROOT / "tests" / "support" / "plugins")
    monkeypatch.setenv("RETORT_PLUGIN_PATHS", folder)
    monkeypatch.setenv("RETORT_SERVING_HANG_SECONDS", "3")
    get_settings.cache_clear()
    monkeypatch.setattr(resources, "settings", get_settings())
    from tests.support.plugins.featurizers.probe_atoms import ProbeAtoms

    featurizers._classes.pop("probe_atoms", None)  # its import has put it there for good
    monkeypatch.setitem(featurizers._classes, "probe_atoms", ProbeAtoms)
    return train(resources, dataset, name="probe", features=({"name": "probe_atoms"},))


@pytest.mark.parametrize(("killer", "reason"), [(CRASHES, "signal 6"), (HANGS, "took longer")])
def test_a_molecule_that_kills_is_named_and_everything_else_answered(
    api, probe, server, killer, reason
):
    post(api, "CCO", model="probe")
    # longer than a few starts of a process on a busy machine
    asked = {"model": "probe", "headers": {"Prefer": "wait=120"}}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        innocent = [pool.submit(post, api, f"{'C' * n}O", **asked) for n in range(2, 6)]
        guilty = pool.submit(post, api, "CCN", killer, "CCCN", **asked)
    for job in innocent:
        assert job.result()["predictions"][0]["status"] == "ok"
    before, dead, after = guilty.result()["predictions"]
    assert (before["status"], dead["status"], after["status"]) == ("ok", "error", "ok")
    assert reason in dead["reason"]
    assert post(api, "CCN", model="probe")["predictions"][0]["status"] == "ok"


def test_what_waited_in_a_process_that_died_is_answered(resources, probe):
    """Taken together, in one process, behind the one that kills it: nobody's question is lost."""
    asked = []
    for smiles in (CRASHES, "CCO", "CCCO", "CCCCO"):  # each is tried by itself
        asked += asked_of(probe, [smiles], [smiles], use_cache=False, deaths=1)
    pushed(resources, QUESTIONS, asked)
    answers = {}
    with serving(resources):
        while len(answers) < len(asked):
            said = resources.redis.blpop(["serving:answers:test"], timeout=120)
            assert said is not None, f"lost: all but {sorted(answers)}"
            answers |= {answer.id: answer for answer in decode_answers(said[1])}
    well = {id_: b'"status":"ok"' in answer.items[0] for id_, answer in answers.items()}
    assert well == {CRASHES: False, "CCO": True, "CCCO": True, "CCCCO": True}


def test_what_waits_for_its_model_when_the_worker_drains_is_for_others(resources, model):
    told = []
    server = Server(resources, told.append)
    (question,) = asked_of(model, "q")
    pushed(resources, QUESTIONS, [question])
    assert model_cache(resources).peek(question.model_id) is None
    server.step(0.1)
    assert told[-1] == InHand(held=[question])


@pytest.mark.parametrize("broken", ["model", "redis"])
def test_what_was_answered_or_cannot_be_is_no_longer_in_hand(resources, model, monkeypatch, broken):
    """Else the parent would take an idle process for one that hangs, and ask again for nothing."""
    if broken == "model":
        altered(resources, model)
    told = []
    server = Server(resources, told.append)
    (question,) = asked_of(model, "q")
    pushed(resources, QUESTIONS, [question])
    if broken == "redis":
        answer = server._line.later

        def answered(*commands):
            answer(*commands)
            monkeypatch.setattr(server._line, "ask", away)

        def away(*_):
            raise redis.ConnectionError

        monkeypatch.setattr(server._line, "later", answered)
    deadline = time.monotonic() + 60
    failed = False
    try:
        while server._held or not told:
            server.step(0.1)
            assert time.monotonic() < deadline
    except redis.ConnectionError:
        failed = True
    assert failed == (broken == "redis")
    assert InHand(held=[question]) in told
    assert told[-1] == InHand(working=(), held=[])


def test_a_killed_process_is_replaced(api, server, model):
    post(api, "CCO")
    before = server.pid
    os.kill(before, signal.SIGKILL)
    new_pid(server, before)
    assert post(api, "CCCCN")["predictions"][0]["status"] == "ok"


def test_what_redis_gave_to_a_dying_process_is_asked_again(api, server, model):
    """It lies in a socket that nobody reads any more."""
    post(api, "CCO")
    before = server.pid
    os.kill(before, signal.SIGSTOP)  # dead to the world, while Redis still knows it to be waiting
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(post, api, "CCCCN", headers={"Prefer": "wait=60"})
        time.sleep(0.5)
        assert not asked.done()
        os.kill(before, signal.SIGKILL)
        new_pid(server, before)
        assert asked.result(30)["predictions"][0]["status"] == "ok"


def test_a_process_that_cannot_be_watched_is_replaced(api, server, model, monkeypatch):
    """The kernel ends it with the thread that watches, which nobody would start again."""
    before, original = server.pid, InHandFile.since
    failed = []

    def fails_once(file):
        if not failed:
            failed.append(1)
            raise OSError("no such descriptor")
        return original(file)

    monkeypatch.setattr(InHandFile, "since", fails_once)
    new_pid(server, before)
    assert failed
    assert post(api, "CCO")["predictions"][0]["status"] == "ok"


# ---- deadlines, load, jobs


def test_nobody_answers_in_time(api, model):
    started = time.monotonic()
    refused = api.post(
        "predictions", json={"model": "mols", "inputs": ["CCO"]}, headers={"Prefer": "wait=1"}
    )
    assert (refused.status_code, refused.json()["code"]) == (503, "no_worker_answered")
    assert refused.headers["retry-after"] == "5"
    assert time.monotonic() - started < 5


def test_what_came_together_is_answered_together(resources, model):
    """By an idle process too; a long question alone, even when another one waits behind it."""
    told = []
    server = Server(resources, told.append)
    for question in asked_of(model, "abc") + asked_of(model, "de", ["CCO"] * 9):
        pushed(resources, question.list_name, [question])
    model_cache(resources).get(UUID(model["model_id"]))
    for _ in range(3):
        server.step(0.1)
    batches = [[question.id for question in one.working] for one in told if one.working]
    assert batches == [["a", "b", "c"], ["d"], ["e"]]


def test_of_what_waits_a_process_leaves_half_to_others(resources, model):
    """Half of what it found the last time, four at least, and the one that it waited for."""
    told, ids = [], [str(number) for number in range(40)]
    server = Server(resources, told.append)
    model_cache(resources).get(UUID(model["model_id"]))

    def sizes(waiting):
        told.clear()
        pushed(resources, QUESTIONS, asked_of(model, ids[:waiting]))
        for _ in range(5):
            server.step(0.1)
        return [len(one.working) for one in told if one.working]

    # 1 + 4, of 40; half of these 5 and the 35 behind them; half of 20 and 15, of which 15 are there
    assert sizes(40) == [5, 20, 15]
    # 1 + 4 of 12; half of 5 and 7; what is left
    assert sizes(12) == [5, 6, 1]
    assert sizes(3) == [3]


def test_who_asks_alone_is_answered_by_the_first_process(resources, model):
    """Redis would wake whichever has slept longest."""
    told = {first: [] for first in (True, False)}
    servers = {first: Server(resources, told[first].append, first=first) for first in told}
    model_cache(resources).get(UUID(model["model_id"]))
    pushed(resources, FIRST, asked_of(model, "a"))
    pushed(resources, QUESTIONS, asked_of(model, "bc"))
    servers[False].step(0.1)
    servers[False].step(0.1)
    servers[True].step(0.1)
    batches = {
        first: ["".join(question.id for question in one.working) for one in of_one if one.working]
        for first, of_one in told.items()
    }
    assert batches == {False: ["bc"], True: ["a"]}


def test_a_first_process_that_is_away_holds_nobody_up(api, resources, model):
    """Its questions go to the others, and for a while none are kept for it. One stands before them
    whose gateway has died.
    """
    (left,) = asked_of(model, "z")
    pushed(resources, FIRST, [replace(left, until=time.time() - 1)])
    other, model_id = Server(resources, first=False), UUID(model["model_id"])
    model_cache(resources).get(model_id)
    listener = threading.Thread(target=other.run, daemon=True)
    listener.start()
    try:
        started = time.monotonic()
        for number in range(1, 9):
            assert post(api, "C" * number + "N")["predictions"][0]["status"] == "ok"
        assert time.monotonic() - started < 10, "nobody waited for a deadline"
        assert resources.redis.llen(FIRST) == 0
        assert api.gateway.state.predictor.serving._first_from > started
    finally:
        other.stop()
        listener.join()


def test_what_has_gathered_when_a_process_ends_is_answered_or_left(resources, model):
    """Nothing that it took is lost."""
    server = Server(resources)
    model_cache(resources).get(UUID(model["model_id"]))
    ids = [str(number) for number in range(60)]
    listener = threading.Thread(target=server.run, daemon=True)
    listener.start()
    for id_ in ids:
        pushed(resources, QUESTIONS, asked_of(model, [id_], use_cache=False))
    wait_for(lambda: resources.redis.llen("serving:answers:test") > 0, "it answers", 60)
    server.stop()
    listener.join(60)
    left = [Question.decode(raw).id for raw in resources.redis.lrange(QUESTIONS, 0, -1)]
    said = resources.redis.lrange("serving:answers:test", 0, -1)
    answered = [answer.id for raw in said for answer in decode_answers(raw)]
    assert sorted(left + answered) == sorted(ids)
    assert answered


def test_a_question_that_nobody_waits_for_is_dropped(api, resources, model):
    post(api, "CCO", status=503, headers={"Prefer": "wait=0.2"})
    assert resources.redis.llen(QUESTIONS) == 1, "where it was moved from the first's"
    Server(resources).step(0.1)
    assert resources.redis.llen(QUESTIONS) == 0
    assert not list(resources.redis.scan_iter("serving:answers:*"))


def test_more_than_can_wait_is_refused_at_once(api, resources, model):
    serving = api.gateway.state.predictor.serving
    serving._max_inputs = 3
    answer = api.post("predictions", json={"model": "mols", "inputs": ["C", "CC", "CCC", "CCCC"]})
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1


def test_what_is_not_to_be_waited_for_becomes_a_job(api, resources, model):
    from tests.support.inline import work_off

    wanted = [{"smiles": "CCO", "id": "a"}, {"smiles": "C1CC(", "id": "b"}, "CCCN"]
    for fields, headers, inputs in (
        ({}, {"Prefer": "respond-async"}, wanted),
        ({"fallback": "job"}, {"Prefer": "wait=0.2"}, wanted),
        ({"fallback": "job"}, {}, ["CCO"] * 101),
    ):
        job = post(api, *inputs, status=202, headers=headers, **fields)
        assert job["kind"] == "predict"
        work_off(resources, kinds={"predict"})
        ended = api.get(f"jobs/{job['id']}").json()
        assert ended["state"] == "succeeded", ended["error"]
        assert ended["counts"]["rows_total"] == len(inputs)
    assert ended["counts"]["rows_failed"] == 0


def test_models_are_loaded_ahead_by_every_process_that_hears_of_them(resources, model):
    here = Server(resources)
    listener = threading.Thread(target=here.run, daemon=True)
    listener.start()
    try:
        resources.redis.publish("serving:warm", b"nonsense")
        end = time.monotonic() + 60
        while model_cache(resources).peek(UUID(model["model_id"])) is None:
            warm(resources.publisher, [UUID(model["model_id"]), new_id()])
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        here.stop()
        listener.join()


def test_who_moves_a_name_knows_when_every_process_has_the_model(resources, model, monkeypatch):
    """A process that loads, and one that never answers."""
    cache, go_on = model_cache(resources), threading.Event()
    load = cache._load

    def slowly(model_id):
        assert go_on.wait(60)
        return load(model_id)

    monkeypatch.setattr(cache, "_load", slowly)
    model_id, here = UUID(model["model_id"]), Server(resources)
    assert warm(resources.publisher, [model_id]).wait(), "nobody listens"
    listener = threading.Thread(target=here.run, daemon=True)
    listener.start()
    try:
        wait_for(lambda: warm(resources.publisher, []).processes == 1, "it listens", 30)
        loading = warm(resources.publisher, [model_id, new_id()])
        assert not loading.wait(1.0)
        assert cache.peek(model_id) is None
        go_on.set()
        assert loading.wait(60), "the second cannot be loaded, which is known as well"
        assert cache.peek(model_id) is not None
        assert warm(resources.publisher, [model_id]).wait(60), "it is there already"
        with resources.redis.pubsub() as silent:
            silent.subscribe("serving:warm")
            assert silent.get_message(timeout=5)
            loading = warm(resources.publisher, [model_id])
            assert loading.processes == 2
            assert not loading.wait(3.0)
    finally:
        go_on.set()
        here.stop()
        listener.join()


def test_standardization_is_the_same_as_in_batches(api, server, model):
    (found,) = post(api, "[Na+].CC(=O)[O-]")["predictions"]
    assert found["canonical_smiles"] == Chem.CanonSmiles("CC(=O)O")
