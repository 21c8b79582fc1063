"""What names mean is moved while callers ask without a pause, by a real serving process: no request
fails, and no answer comes from a version that the name did not mean.
"""

import threading
import time

import pytest

from app.endpoints.canary import step_canaries
from app.endpoints.records import Notices
from app.evaluation import service as evaluation
from app.evaluation.params import EvaluateParams
from app.models.bundle import ModelBundle
from tests.support.cluster import ROOT
from tests.support.constant_load import SMILES, ConstantLoad
from tests.support.datasets import ingested, job_context
from tests.support.served_models import train
from tests.support.waiting import wait_for

pytestmark = pytest.mark.req("F-16")

ENDPOINT = "endpoint:e"
#: seconds that a cold model takes to load; nobody else may wait half as long for it
LOADING = 6.0


@pytest.fixture(autouse=True)
def checks(answering):
    """Models are checked, and gates asked, before a name moves."""


@pytest.fixture
def values(resources):
    """What each version says of each SMILES, asked of the model itself."""

    def of(models):
        return {number: _values(resources, model) for number, model in enumerate(models, 1)}

    return of


def _values(resources, model):
    bundle = ModelBundle.load(resources.storage, f"models/{model['model_id']}/manifest.json")
    found = bundle.predict(SMILES).predictions.values[:, 0]
    return dict(zip(SMILES, map(float, found), strict=True))


def route(version, **fields):
    return {"model": f"mols:{version}", "weight": 100, **fields}


def put_endpoint(api, *routes, **fields):
    """Made, or changed."""
    body = {"routes": list(routes), **fields}
    if api.get("endpoints/e").status_code == 404:
        answer = api.post("endpoints", json={"name": "e", **body})
    else:
        answer = api.put("endpoints/e", json=body, headers={"If-Match": "*"})
    assert answer.status_code in (200, 201), answer.text


def revision(api):
    return api.get("endpoints/e").json()["revision"]


def test_every_change_of_an_endpoint(api, server, resources, dataset, values):
    """Promote, shadow, canary, its step by hand, roll back."""
    models = [train(resources, dataset, alpha=alpha) for alpha in (1e-6, 1e7, 1e8)]
    put_endpoint(api, route(1))
    canary = {"model": "mols:3", "steps": [50, 100], "interval_seconds": 3600}

    def act(path, **body):
        return lambda: api.post(f"endpoints/e/{path}", json=body).raise_for_status()

    with ConstantLoad(api, {ENDPOINT: 1}, values(models), callers=4).running() as load:
        load.move({ENDPOINT: 2}, lambda: put_endpoint(api, route(2)))
        shadow = {"model": "mols:1", "mode": "shadow"}
        load.move({ENDPOINT: 2}, lambda: put_endpoint(api, route(2), shadow))
        load.move({ENDPOINT: {2, 3}}, lambda: put_endpoint(api, route(2), canary=canary))
        load.move({ENDPOINT: 3}, act("canary", action="step"))
        load.move({ENDPOINT: 1}, lambda: put_endpoint(api, route(1)))
        # before the canary: what it was a canary of
        load.move({ENDPOINT: 2}, act("rollback"))
    assert {one.number for one in load.seen} == {1, 2, 3}


@pytest.mark.req("F-14", "S1-18")
def test_every_move_of_an_alias(api, server, resources, dataset, values):
    """Asked for by name, by alias, and through an endpoint that follows it: a promotion through its
    gate, one that the gate refuses, and rollbacks in one call.
    """
    models = [train(resources, dataset, alpha=alpha) for alpha in (1e4, 1e-6, 1e8)]
    gated(api, resources, models)
    promote(api, 1)
    put_endpoint(api, {"model": "mols@champion", "pin": False, "weight": 100})
    names = ("mols", "mols@champion", ENDPOINT)

    def roll_back():
        answer = api.post("registry/mols/aliases/champion/rollback", json={})
        assert answer.status_code == 200, answer.text

    with ConstantLoad(api, dict.fromkeys(names, 1), values(models)).running() as load:
        gate = load.move(dict.fromkeys(names, 2), lambda: promote(api, 2))["gate"]
        assert gate["passed"]
        assert {check["check"] for check in gate["checks"]} >= {"not_worse", "beats_baseline"}
        load.move(dict.fromkeys(names, 2), lambda: refused(api, 3))
        load.move(dict.fromkeys(names, 1), roll_back)
        load.move(dict.fromkeys(names, 2), lambda: promote(api, 2))
        load.move(dict.fromkeys(names, 1), roll_back)
    answered = {(one.ref, one.number) for one in load.seen}
    assert answered == {(name, number) for name in names for number in (1, 2)}


def gated(api, resources, models):
    """A champion must be no worse than the one before on molecules that none has seen."""
    rows = "".join(f"{'C' * n}{end},{n + 1}\n" for n in range(16, 36) for end in ("O", "N", "Cl"))
    dataset_id, _ = ingested(resources, "smiles,y\n" + rows, name="unseen")
    for model in models:
        params = EvaluateParams(
            model="m", model_id=model["model_id"], dataset_id=dataset_id, bootstrap=50
        )
        outcome = evaluation.run(resources, job_context(resources, "evaluate"), params)
        with resources.database.session() as session:
            outcome.commit(session)
    policy = {"evaluation_dataset": "unseen", "metric": "rmse"}
    api.put("registry/mols/policies/champion", json=policy).raise_for_status()


def promote(api, version):
    answer = api.put("registry/mols/aliases/champion", json={"version": version})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(api, version):
    answer = api.put("registry/mols/aliases/champion", json={"version": version})
    assert (answer.status_code, answer.json()["code"]) == (409, "gate_failed")


# ---- models that are late


@pytest.fixture
def late(resources, dataset, monkeypatch):
    """Trains a version that is late once it is loaded."""
    from app.algorithms.base import algorithms
    from app.core.settings import get_settings

    algorithms.get("ridge")  # the others are there before the folder is known
    monkeypatch.setenv("RETORT_PLUGIN_PATHS", str(ROOT / "tests" / "support" / "plugins"))
    get_settings.cache_clear()
    monkeypatch.setattr(resources, "settings", get_settings())
    from tests.support.plugins.algorithms.probe_late import ProbeLate

    algorithms._classes.pop("probe_late", None)  # its import has put it there for good
    monkeypatch.setitem(algorithms._classes, "probe_late", ProbeLate)
    return lambda **params: train(resources, dataset, algorithm="probe_late", **params)


@pytest.mark.req("goal-74")
def test_a_canary_that_fails_goes_back_by_itself(api, late, server, resources, values):
    """One for it is too slow, one for its errors, in whose place the fallback answers."""
    models = [late(), late(shift=1.0, answer_seconds=0.2), late(shift=2.0)]
    told = values(models)
    models.append(late(shift=3.0, breaks=True))
    beat = Beat(resources)
    put_endpoint(api, route(1))
    slow = canary(2, p95_ms=100)
    fallback = {"model": "mols:3", "when": ["error"]}
    with ConstantLoad(api, {ENDPOINT: 1}, told, callers=4).running() as load, beat:
        load.move({ENDPOINT: {1, 2}}, lambda: put_endpoint(api, route(1), canary=slow))
        load.move({ENDPOINT: 1}, lambda: went_back(api, beat, "p95_ms"))
        broken = {"canary": canary(4, error_rate=0.2), "fallback": fallback}
        load.move({ENDPOINT: {1, 3}}, lambda: put_endpoint(api, route(1), **broken))
        load.move({ENDPOINT: 1}, lambda: went_back(api, beat, "error_rate"))
    assert {one.number for one in load.seen} == {1, 2, 3}
    assert len(beat.said) == 2


def canary(version, **guards):
    spec = {"model": f"mols:{version}", "steps": [50, 100], "interval_seconds": 3600}
    return {**spec, "min_requests": 10, "guards": {"worse_than_stable": False, **guards}}


def went_back(api, beat, guard):
    def looked():
        assert beat.is_alive()
        return (one := revision(api))["reason"] == "canary_rolled_back" and one

    try:
        found = wait_for(looked, f"the canary goes back for its {guard}", 60)
    except AssertionError as error:
        error.add_note(f"the endpoint: {api.get('endpoints/e').text}")
        raise
    assert guard in found["note"]
    assert found["canary"] is None
    assert found["shares"] == {"mols:1": 100.0}


class Beat(threading.Thread):
    """Looks at the canaries as beat and the control worker do."""

    def __init__(self, resources):
        super().__init__()
        self._resources = resources
        self._stopped = threading.Event()
        self.said = []

    def run(self):
        notices = Notices.of(self._resources)
        while not self._stopped.wait(0.2):
            self.said += step_canaries(self._resources.database, notices)

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self._stopped.set()
        self.join()


def test_a_cold_take_over_holds_nobody_up(api, late, server, resources, values):
    """No process has loaded the version that an endpoint takes up, which takes seconds."""
    models = [late(), late(shift=1.0, load_seconds=LOADING)]
    told = values(models)
    put_endpoint(api, route(1))
    names = {ENDPOINT: 1, "mols:1": 1}
    with ConstantLoad(api, names, told).running() as load:
        started = time.monotonic()
        load.move({ENDPOINT: 2}, lambda: put_endpoint(api, route(2)))
        assert load.slowest("mols:1", since=started) < LOADING / 2
        assert load.slowest(ENDPOINT, since=started) < LOADING / 2
