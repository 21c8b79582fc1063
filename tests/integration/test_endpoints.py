"""Endpoints on real Postgres and Redis: revisions, rollback, canaries, metering, comparisons."""

import time
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from app.core.clock import utc_now
from app.core.errors import NotFound
from app.db.base import DEFAULT_PROJECT_ID as PROJECT
from app.db.models import AliasRow, ModelVersionRow
from app.endpoints import reading, stored
from app.endpoints.active import (
    endpoints_following,
    endpoints_using,
    likely_asked,
    load_active,
)
from app.endpoints.canary import step_canaries
from app.endpoints.metering import Meter, MeterThread, forget
from app.endpoints.records import Notices
from app.models.pointers import POINTERS_KEY
from tests.support.datasets import ingested, job_context
from tests.support.worker_here import WorkerHere

ROUTES = [{"model": "sol:1", "weight": 100}]


@pytest.fixture
def models(resources):
    """sol:1 to sol:3 (champion is 1), and other:1 of another target; rows only."""
    dataset_id, _ = ingested(resources, "smiles,y\nCCO,1\nCCC,2\n", name="d", roles={"y": "target"})
    made = {}
    with resources.database.session() as session:
        for name, number, target in (*(("sol", n, "y") for n in (1, 2, 3)), ("other", 1, "z")):
            row = ModelVersionRow(
                name=name,
                number=number,
                task="regression",
                algorithm="ridge",
                hyperparameters={},
                training_config={},
                targets=[{"name": target}],
                metrics={},
                dataset_id=dataset_id,
                feature_set_hash="h",
                device="cpu",
                manifest_key=f"models/{name}-{number}/manifest.json",
                sha256="0",
            )
            session.add(row)
            session.flush()
            made[f"{name}:{number}"] = row.id
        session.add(
            AliasRow(project_id=PROJECT, name="sol", alias="champion", model_id=made["sol:1"])
        )
    return made


@pytest.fixture
def checked(monkeypatch):
    """Every model is sound; (model, anew) of each that was asked about."""
    asked = []

    def ask(resources, payload, timeout):
        asked.append((UUID(payload["model_id"]), payload["anew"]))
        return {"inputs": "a structure"}

    monkeypatch.setattr("api.routes.endpoints.ask", ask)
    monkeypatch.setattr("api.gated_moves.ask", lambda *_: {"gate": None})
    return asked


@pytest.fixture
def made(api, models, checked):
    """The endpoint `e` on sol:1."""
    return create(api)


def create(api, name="e", status=201, **body):
    answer = api.post("endpoints", json={"name": name, "routes": ROUTES, **body})
    assert answer.status_code == status, answer.text
    return answer


def put(api, status=200, match="*", **body):
    headers = {} if match is None else {"If-Match": match}
    answer = api.put("endpoints/e", json={"routes": ROUTES, **body}, headers=headers)
    assert answer.status_code == status, answer.text
    return answer


def active(resources, name="e"):
    with resources.database.session() as session:
        return load_active(session, PROJECT, name)


def weights(*pairs):
    return [{"model": model, "weight": weight} for model, weight in pairs]


@pytest.mark.req("S1-17")
def test_what_was_made_is_there(api, made, models, resources, checked):
    body = made.json()
    assert made.headers["etag"] == '"1"'
    assert made.headers["location"] == "/api/v1/endpoints/e"
    assert body["revision"]["models"]["sol:1"]["model_id"] == str(models["sol:1"])
    assert (body["revision"]["reason"], body["revision"]["created_by"]) == ("created", "key:test")
    assert checked == [(models["sol:1"], True)]
    found = active(resources)
    assert [arm.model_id for arm in found.arms] == [models["sol:1"]]
    assert [e["name"] for e in api.get("endpoints").json()["items"]] == ["e"]
    again = api.get("endpoints/e", headers={"If-None-Match": '"1"'})
    assert again.status_code == 304
    create(api, status=409)


def test_changes_ask_for_the_state_that_was_read(api, made, resources, models):
    put(api, 428, match=None)
    put(api, 412, match='"7"')
    put(api, 412, match="junk")
    assert api.patch("endpoints/e", json={"note": "x"}).status_code == 428
    assert api.delete("endpoints/e").status_code == 428
    before = resources.cache.get(POINTERS_KEY)
    changed = put(api, match='"1"', routes=weights(("sol:2", 100)), note="better")
    assert changed.headers["etag"] == '"2"'
    assert resources.cache.get(POINTERS_KEY) != before
    put(api, 412, match='"1"')
    assert [arm.model_id for arm in active(resources).arms] == [models["sol:2"]]
    log = api.get("endpoints/e/revisions").json()["items"]
    assert [(r["number"], r["reason"], r["note"], r["active"]) for r in log] == [
        (2, "updated", "better", True),
        (1, "created", "", False),
    ]


def test_a_patch_changes_what_it_names(api, made, resources):
    match = {"If-Match": "*"}
    only = api.patch("endpoints/e", json={"labels": {"team": "adme"}}, headers=match).json()
    assert (only["labels"], only["revision"]["number"]) == ({"team": "adme"}, 1)
    both = api.patch("endpoints/e", json={"cache": False}, headers=match).json()
    assert both["revision"]["number"] == 2
    assert both["revision"]["spec"]["routes"][0]["model"] == "sol:1"
    assert active(resources).cache is False
    wrong = api.patch("endpoints/e", json={"routes": weights(("sol:1", 50))}, headers=match)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_endpoint")
    assert put(api, cache=False).json()["revision"]["number"] == 2, "the same again is no revision"


@pytest.mark.req("F-16", "goal-74")
def test_a_rollback_brings_the_very_same_back_within_a_second(api, made, resources, models):
    put(api, routes=weights(("sol:1", 50), ("sol:2", 50)))
    split = active(resources)
    put(api, routes=weights(("sol:3", 100)))
    started = time.perf_counter()
    back = api.post("endpoints/e/rollback", json={"note": "oops"})
    assert time.perf_counter() - started < 1.0
    assert back.json()["revision"]["restores"] == 2
    found = active(resources)
    assert (found.arms, found.table) == (split.arms, split.table)
    assert api.post("endpoints/e/rollback", json={}).json()["revision"]["restores"] == 1
    none = api.post("endpoints/e/rollback", json={})
    assert (none.status_code, none.json()["code"]) == (409, "no_earlier_revision")
    named = api.post("endpoints/e/rollback", json={"revision": 3}).json()
    assert [r["model"] for r in named["revision"]["spec"]["routes"]] == ["sol:3"]
    assert api.post("endpoints/e/rollback", json={"revision": 99}).status_code == 404


CHANGES = {
    "put": lambda e: put(e.api, routes=weights(("sol:2", 50), ("sol:1", 50))),
    "rollback": lambda e: e.api.post("endpoints/e/rollback", json={"revision": 2}),
    "step": lambda e: e.api.post("endpoints/e/canary", json={"action": "step"}),
    "beat": lambda e: e.look(),
    "alias": lambda e: e.api.put("registry/sol/aliases/champion", json={"version": 2}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_models_are_loaded_before_a_name_means_them(
    api, made, models, resources, warmed, monkeypatch, change
):
    put(api, routes=weights(("sol:1", 20), ("sol:2", 80)))
    put(api, canary=CANARY)
    canary = Canary(api, resources, models)
    canary.pass_(61)
    canary.traffic()
    warmed.told.clear()
    before = warmed.meaning()
    answer = CHANGES[change](canary)
    assert change == "beat" or answer.status_code == 200, answer.text
    wanted = {models["sol:2"]} if change == "alias" else {models["sol:1"], models["sol:2"]}
    assert warmed.told == [(wanted, before)]
    word, *means = warmed.meaning()
    assert means != list(before[1:])
    assert word != before[0]


def test_serving_processes_load_first_what_endpoints_and_aliases_name(
    api, models, checked, resources
):
    def likely(limit):
        with resources.database.session() as session:
            return likely_asked(session, limit)

    assert likely(8) == [models["sol:1"]], "the champion's"
    create(
        api,
        routes=[*weights(("sol:2", 100)), {"model": "sol:3", "mode": "shadow"}],
        fallback={"model": "sol@champion", "when": ["error"]},
    )
    create(api, "last", routes=weights(("other:1", 100)))
    # the last changed endpoint, the alias, then by turns: live, (no alias more), shadow
    wanted = [models[ref] for ref in ("other:1", "sol:1", "sol:2", "sol:3")]
    assert likely(8) == wanted
    assert likely(3) == wanted[:3]
    api.delete("endpoints/last", headers={"If-Match": "*"})
    assert models["other:1"] not in likely(8)
    put(api, routes=ROUTES, canary=CANARY)
    assert likely(8) == [models["sol:1"], models["sol:2"]]


def test_exactly_one_revision_is_active(api, made, resources):
    put(api, routes=weights(("sol:2", 100)))
    with pytest.raises(psycopg.errors.UniqueViolation), resources.database.cursor() as cursor:
        cursor.execute("UPDATE endpoint_revisions SET active = true")


@pytest.mark.req("F-16")
def test_no_version_that_the_route_did_not_name(api, models, checked, resources):
    """A pinned alias keeps its version; a followed one goes with it; both say which."""
    create(api, "pinned", routes=[{"model": "sol@champion"}])
    create(api, "follows", routes=[{"model": "sol@champion", "pin": False}])
    moved = api.put("registry/sol/aliases/champion", json={"version": 2})
    assert moved.status_code == 200, moved.text
    assert [arm.number for arm in active(resources, "pinned").arms] == [1]
    assert [arm.number for arm in active(resources, "follows").arms] == [2]
    with resources.database.session() as session:
        assert endpoints_using(session, models["sol:1"]) == ["pinned"]
        assert endpoints_using(session, models["sol:2"]) == ["follows"]
        assert endpoints_following(session, PROJECT, "sol", "champion") == ["follows"]
        session.query(AliasRow).delete()
        session.get(ModelVersionRow, models["sol:1"]).state = "archived"
        session.get(ModelVersionRow, models["sol:2"]).state = "archived"
        session.get(ModelVersionRow, models["sol:3"]).state = "archived"
    broken = api.get("endpoints/follows/comparison")
    assert (broken.status_code, broken.json()["code"]) == (409, "endpoint_broken")


@pytest.mark.parametrize(
    ("routes", "status", "code"),
    [
        (weights(("nope", 100)), 404, "not_found"),
        (weights(("sol:1", 50), ("other:1", 50)), 422, "invalid_endpoint"),
        (weights(("sol:1", 50), ("sol@champion", 50)), 422, "invalid_endpoint"),
        (weights(("endpoint:x", 100)), 422, "invalid_reference"),
    ],
)
def test_models_that_do_not_fit(api, models, checked, routes, status, code):
    answer = create(api, status=status, routes=routes)
    assert answer.json()["code"] == code
    assert checked == []


def test_a_version_is_no_fallback_of_itself(api, models, checked):
    fallback = {"model": "sol@champion", "when": ["error"]}
    found = create(api, status=422, fallback=fallback).json()
    assert found["errors"][0]["pointer"] == "/fallback/model"


def test_an_archived_model_is_not_taken_up(api, made, models, resources):
    with resources.database.session() as session:
        session.get(ModelVersionRow, models["sol:3"]).state = "archived"
    refused = put(api, 409, routes=weights((str(models["sol:3"]), 100)))
    assert refused.json()["code"] == "model_archived"


def test_archived_and_revived(api, made, resources):
    assert api.delete("endpoints/e", headers={"If-Match": '"1"'}).status_code == 204
    assert api.get("endpoints/e").status_code == 404
    with pytest.raises(NotFound):
        active(resources)
    revived = put(api, 201, match=None)
    assert revived.json()["revision"]["number"] == 2


def test_a_stranger_sees_nothing(api, made, resources):
    from app.access.keys import create_key
    from app.db.projects import ProjectRow

    with resources.database.session() as session:
        project = ProjectRow(name="other")
        session.add(project)
        session.flush()
        key = create_key(session, name="stranger", project_id=project.id)
    headers = {"Authorization": f"Bearer {key.text}"}
    assert api.get("endpoints/e", headers=headers).status_code == 404
    assert api.get("endpoints", headers=headers).json()["items"] == []


# ---- canaries


CANARY = {
    "model": "sol:2",
    "steps": [10, 50, 100],
    "interval_seconds": 60,
    "min_requests": 100,
    "guards": {"error_rate": 0.05, "p95_ms": 100},
}


class Canary:
    """An endpoint with a canary, a clock that is set by hand, and traffic that is made up."""

    def __init__(self, api, resources, models, name="e"):
        self.api, self.resources, self.models, self.name = api, resources, models, name
        self.now = utc_now()

    def pass_(self, seconds):
        self.now += timedelta(seconds=seconds)

    def look(self):
        return step_canaries(
            self.resources.database, Notices.of(self.resources), clock=lambda: self.now
        )

    def traffic(self, model="sol:2", n=150, errors=0, milliseconds=10.0):
        meter, found = Meter(), active(self.resources, self.name)
        for number in range(n):
            meter.observe(
                found.endpoint_id,
                found.number,
                self.models[model],
                "live",
                milliseconds=milliseconds,
                error=number < errors,
            )
        meter.flush(self.resources.database)

    @property
    def revision(self):
        return self.api.get(f"endpoints/{self.name}").json()["revision"]


@pytest.fixture
def canary(api, made, models, resources):
    put(api, canary=CANARY)
    return Canary(api, resources, models)


@pytest.mark.req("goal-74")
def test_a_good_canary_takes_over_step_by_step(canary):
    assert canary.revision["shares"] == {"sol:1": 90.0, "sol:2": 10.0}
    canary.pass_(61)
    assert canary.look() == [], "nobody has asked it anything"
    canary.traffic()
    assert len(canary.look()) == 1
    assert canary.revision["shares"] == {"sol:1": 50.0, "sol:2": 50.0}
    canary.traffic()
    assert canary.look() == [], "its step has just begun"
    for _ in range(2):
        canary.pass_(61)
        canary.traffic()
        assert len(canary.look()) == 1
    found = canary.revision
    assert (found["reason"], found["canary"], found["shares"]) == (
        "canary_finished",
        None,
        {"sol:2": 100.0},
    )
    assert [r["model"] for r in found["spec"]["routes"]] == ["sol:2"]
    assert found["figures"]["requests"] == 150
    assert canary.look() == []
    back = canary.api.post("endpoints/e/rollback", json={}).json()
    assert back["revision"]["restores"] == 1


@pytest.mark.req("goal-74")
@pytest.mark.parametrize(
    ("traffic", "guard"),
    [({"errors": 40}, "error_rate"), ({"milliseconds": 900.0}, "p95_ms")],
)
def test_a_bad_canary_goes_back_with_the_figures(canary, traffic, guard):
    canary.traffic("sol:1", n=500)
    canary.traffic(**traffic)
    (said,) = canary.look()
    assert "canary_rolled_back" in said
    found = canary.revision
    assert (found["reason"], found["restores"], found["canary"]) == ("canary_rolled_back", 1, None)
    broken = [f["guard"] for f in found["figures"]["guards"] if f["verdict"] == "broken"]
    assert guard in broken
    assert guard in found["note"]
    assert canary.look() == []


def test_an_endpoint_that_cannot_be_read_holds_up_no_other(canary, caplog):
    """The one that is looked at first has a specification of another release."""
    create(canary.api, name="f", canary=CANARY)
    other = Canary(canary.api, canary.resources, canary.models, name="f")
    other.traffic(errors=40)
    with canary.resources.database.cursor() as cursor:
        cursor.execute(
            "UPDATE endpoint_revisions SET spec = '{\"later\": 1}' WHERE active AND endpoint_id ="
            " (SELECT id FROM endpoints WHERE name = 'e')"
        )
    (said,) = canary.look()
    assert said.startswith("endpoint f: canary_rolled_back")
    assert "was not looked at" in caplog.text


def test_an_outage_is_no_endpoint_that_cannot_be_read(canary, monkeypatch):
    def away(*_):
        raise psycopg.OperationalError("the server is away")

    monkeypatch.setattr("app.endpoints.canary.arms_of", away)
    with pytest.raises(psycopg.OperationalError):
        canary.look()


def test_what_is_neither_good_nor_bad_waits(canary):
    canary.pass_(61)
    canary.traffic("sol:1", n=500, errors=25)
    canary.traffic(errors=9)  # 6 % of 150: above 5, not proven
    assert canary.look() == []
    told = canary.api.get("endpoints/e/canary").json()
    assert any("error_rate" in why for why in told["waits_for"])
    assert told["share"] == 10.0


def test_by_hand(canary):
    def act(action, status=200):
        answer = canary.api.post("endpoints/e/canary", json={"action": action})
        assert answer.status_code == status, answer.text
        return answer.json()

    assert act("pause")["revision"]["reason"] == "canary_paused"
    act("pause", 409)
    canary.pass_(61)
    canary.traffic()
    assert canary.look() == []
    assert act("resume")["revision"]["canary"]["paused"] is False
    assert act("step")["revision"]["shares"]["sol:2"] == 50.0
    aborted = act("abort")["revision"]
    assert (aborted["restores"], aborted["shares"]) == (1, {"sol:1": 100.0})
    assert act("abort", 409)["code"] == "no_canary"
    assert canary.api.get("endpoints/e/canary").status_code == 409


def test_a_canary_goes_on_when_something_else_is_changed(canary):
    canary.api.post("endpoints/e/canary", json={"action": "step"})
    patched = canary.api.patch("endpoints/e", json={"cache": False}, headers={"If-Match": "*"})
    assert patched.json()["revision"]["shares"]["sol:2"] == 50.0
    assert patched.json()["revision"]["canary"]["base"] == 1
    with canary.resources.database.session() as session:
        assert endpoints_using(session, canary.models["sol:1"]) == ["e"]


def test_many_beats_step_once(canary):
    from concurrent.futures import ThreadPoolExecutor

    canary.pass_(61)
    canary.traffic()
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: canary.look(), range(4)))
    assert sum(len(said) for said in done) == 1
    assert canary.revision["shares"]["sol:2"] == 50.0


# ---- metering and comparison


def test_gateways_add_up_and_nothing_is_lost_at_shutdown(api, made, models, resources):
    found, meters = active(resources), [Meter(), Meter()]
    threads = [MeterThread(m, resources.database, every_seconds=60) for m in meters]
    for thread, meter in zip(threads, meters, strict=True):
        thread.start()
        for n in range(100):
            meter.observe(
                found.endpoint_id,
                1,
                models["sol:1"],
                "live",
                milliseconds=20.0,
                inputs=2,
                cached=n % 2 * 2,
                error=n < 5,
            )
        thread.close()
    told = api.get("endpoints/e/metrics").json()
    (arm,) = told["arms"]
    assert (arm["requests"], arm["errors"], arm["model"]) == (200, 10, "sol:1")
    assert arm["p95_ms"] == pytest.approx(20, rel=0.1)
    assert arm["cached_share"] == 0.5
    assert sum(minute["requests"] for minute in told["minutes"]) == 200
    assert forget(resources.database, days=0) >= 1
    assert api.get("endpoints/e/metrics").json()["arms"] == []


def test_what_is_counted_while_arms_are_read_is_whole_or_absent(
    api, models, checked, resources, monkeypatch
):
    """A gateway adds the first request of an arm after each statement that reads the arms."""
    create(api, routes=weights(("sol:1", 50), ("sol:2", 25), ("sol:3", 25)))
    found = active(resources)
    unseen = ["sol:3", "sol:2", "sol:1"]

    def first_request():
        meter = Meter()
        meter.observe(found.endpoint_id, 1, models[unseen.pop()], "live", milliseconds=20.0)
        meter.flush(resources.database)

    first_request()
    with resources.database.cursor() as cursor:
        arms = stored.arms_of(Amid(cursor, first_request), found.endpoint_id, stored.ALWAYS)
    assert list(arms) == [(models["sol:1"], "live")]
    assert [(c.requests, sum(c.latency)) for c in arms.values()] == [(1, 1)]

    def minutes_of(*asked):
        first_request()
        return stored.minutes_of(*asked)

    monkeypatch.setattr(reading, "minutes_of", minutes_of)
    told = api.get("endpoints/e/metrics").json()
    assert {arm["model"] for arm in told["arms"]} == {"sol:1", "sol:2"}
    assert {minute["model"] for minute in told["minutes"]} == {"sol:1", "sol:2", "sol:3"}


class Amid:
    """A cursor; after each of its statements something else happens."""

    def __init__(self, cursor, happens):
        self._cursor, self._happens = cursor, happens
        self.fetchall = cursor.fetchall

    def execute(self, query, values):
        self._cursor.execute(query, values)
        self._happens()


PREDICTIONS = """CREATE TABLE IF NOT EXISTS predictions (
  id uuid PRIMARY KEY, project_id uuid NOT NULL, created_at timestamptz DEFAULT now(),
  created_by text DEFAULT 'test', labels jsonb DEFAULT '{}', model_id uuid NOT NULL,
  model_name text NOT NULL, model_number bigint NOT NULL, endpoint_id uuid,
  endpoint_revision bigint,
  mode text DEFAULT 'live', input_hash text NOT NULL, structure text, structure_key text,
  inchikey text, input jsonb NOT NULL, output jsonb NOT NULL, cached boolean DEFAULT false,
  latency_ms double precision, request_id text, expires_at timestamptz)"""


def store(resources, endpoint_id, model_id, mode, n, value, *, revision=1, hours_ago=0):
    from psycopg.types.json import Jsonb

    with resources.database.cursor() as cursor:
        cursor.execute(PREDICTIONS)
        cursor.execute(
            "INSERT INTO predictions (id, project_id, created_by, model_id, model_name,"
            " model_number, endpoint_id, mode, input_hash, input, output, request_id,"
            " endpoint_revision, created_at)"
            " VALUES (%s, %s, 't', %s, 'sol', 1, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *(uuid4(), PROJECT, model_id, endpoint_id, mode, str(n)),
                *(Jsonb({"smiles": f"C{n}"}), Jsonb({"targets": {"y": {"value": value}}})),
                *(f"request-{n}", revision, utc_now() - timedelta(hours=hours_ago)),
            ),
        )


@pytest.mark.req("goal-73", "goal-75")
def test_the_comparison_says_what_is_real(api, models, checked, resources):
    shadow = {"model": "sol:3", "mode": "shadow"}
    create(api, routes=[*weights(("sol:1", 50), ("sol:2", 50)), shadow])
    found, meter = active(resources), Meter()
    for model, errors in (("sol:1", 5), ("sol:2", 60)):
        for n in range(500):
            meter.observe(
                found.endpoint_id, 1, models[model], "live", milliseconds=5, error=n < errors
            )
    meter.flush(resources.database)
    outcomes = []
    for n in range(80):
        store(resources, found.endpoint_id, models["sol:1"], "live", n, n + 1 + 0.1 * (n % 3))
        store(resources, found.endpoint_id, models["sol:3"], "shadow", n, n + 0.1 * (n % 2))
        outcomes.append({"structure": f"C{n}", "target": "y", "measured": float(n)})
    outcomes.append({"request_id": "request-0", "target": "y", "measured": 0.0})
    said = api.post("endpoints/e/outcomes", json={"outcomes": outcomes})
    assert (said.status_code, said.json()) == (201, {"stored": 81})
    told = api.get("endpoints/e/comparison").json()
    by = {(c["second"], c["mode"]): c for c in told["comparisons"]}
    rates = by["sol:2", "live"]["error_rate"]
    assert rates["value"] == pytest.approx(0.11)
    assert rates["is_real"]
    assert rates["p_value"] < 0.05
    assert "second arm fails more often" in by["sol:2", "live"]["conclusion"][0]
    shadowed = by["sol:3", "shadow"]
    assert shadowed["answers"]["y"]["n"] == 80
    assert shadowed["answers"]["y"]["value"] == pytest.approx(1.05, abs=0.1)
    outcome = shadowed["outcomes"]["y"]
    assert outcome["paired"]
    assert outcome["difference"]["is_real"]
    assert outcome["difference"]["value"] < 0
    assert "sol:3 predicts y better, and the difference is real" in shadowed["conclusion"]


def test_an_input_is_compared_once_however_often_its_request_names_it(
    api, models, checked, resources
):
    """Three times in one request, by three ids: one pair, not nine; the others count as much."""
    create(api, routes=[*weights(("sol:1", 100)), {"model": "sol:3", "mode": "shadow"}])
    endpoint = active(resources).endpoint_id
    for n, times in ((0, 3), (1, 1), (2, 1)):
        for _ in range(times):
            store(resources, endpoint, models["sol:1"], "live", n, 9.0 if n == 0 else 1.0)
            store(resources, endpoint, models["sol:3"], "shadow", n, 0.0)
    (found,) = api.get("endpoints/e/comparison").json()["comparisons"]
    assert found["answers"]["y"]["n"] == 3
    # (9 + 1 + 1) / 3; as nine pairs it would be (81 + 2) / 11
    assert abs(found["answers"]["y"]["value"]) == pytest.approx(11 / 3)


def test_arms_are_compared_over_the_time_in_which_both_were_there(api, models, checked, resources):
    """sol:1 was alone for a day in which much failed, and then alone in the revision (as with a
    route that follows its alias); today both answer, and neither fails.
    """
    shadow = {"model": "sol:3", "mode": "shadow"}
    create(api, routes=weights(("sol:1", 100)))
    put(api, routes=[*weights(("sol:1", 50), ("sol:2", 50)), shadow])
    found = active(resources)
    assert found.number == 2

    def traffic(model, n, errors, revision, hours_ago, mode="live"):
        meter = Meter(seconds=lambda: utc_now().timestamp() - 3_600 * hours_ago)
        for number in range(n):
            meter.observe(
                found.endpoint_id,
                revision,
                models[model],
                mode,
                milliseconds=5 + number % 2,
                error=number < errors,
            )
        meter.flush(resources.database)

    def predicted(model, mode, numbers, value, revision, hours_ago):
        for n in numbers:
            where = {"revision": revision, "hours_ago": hours_ago}
            store(resources, found.endpoint_id, models[model], mode, n, value, **where)

    traffic("sol:1", 1_000, 400, 1, 24)
    traffic("sol:1", 300, 100, 2, 3)
    predicted("sol:1", "live", range(10), 9.0, 1, 24)
    predicted("sol:3", "shadow", range(10), 1.0, 1, 24)
    predicted("sol:1", "live", range(10, 20), 9.0, 2, 3)
    predicted("sol:3", "shadow", range(10, 20), 1.0, 2, 3)
    for model, mode in (("sol:1", "live"), ("sol:2", "live"), ("sol:3", "shadow")):
        traffic(model, 200, 0, 2, 0, mode)
    predicted("sol:1", "live", range(20, 24), 2.0, 2, 0)
    predicted("sol:3", "shadow", range(20, 24), 1.0, 2, 0)
    outcomes = [{"structure": f"C{n}", "target": "y", "measured": 1.0} for n in range(24)]
    api.post("endpoints/e/outcomes", json={"outcomes": outcomes}).raise_for_status()

    def compared(**params):
        told = api.get("endpoints/e/comparison", params=params).json()
        arms = {(arm["model"], arm["mode"]): arm["requests"] for arm in told["arms"]}
        return arms, {c["second"]: c for c in told["comparisons"]}

    arms, by = compared()
    assert arms == {("sol:1", "live"): 500, ("sol:2", "live"): 200, ("sol:3", "shadow"): 200}
    assert by["sol:2"]["error_rate"]["n"] == [200, 200]
    assert by["sol:2"]["latency_ratio"]["n"] == [200, 200]
    assert by["sol:2"]["error_rate"]["value"] == 0
    assert not by["sol:2"]["error_rate"]["is_real"]
    assert (by["sol:3"]["answers"]["y"]["n"], by["sol:3"]["answers"]["y"]["value"]) == (4, 1.0)
    assert by["sol:3"]["outcomes"]["y"]["first"] == {"n": 4, "mean_error": 1.0}

    arms, by = compared(minutes=48 * 60)
    assert arms[("sol:1", "live")] == 1_500
    assert by["sol:2"]["error_rate"]["n"] == [1_500, 200]
    assert by["sol:2"]["error_rate"]["value"] == pytest.approx(-1 / 3)
    assert by["sol:3"]["answers"]["y"]["n"] == 24
    # 20 answers that are 8 from what was measured, 4 that are 1 from it
    assert by["sol:3"]["outcomes"]["y"]["first"]["mean_error"] == pytest.approx(164 / 24)
    assert compared(minutes=12 * 60)[1]["sol:2"]["error_rate"]["n"] == [500, 200]


@pytest.mark.parametrize(
    "outcome",
    [
        {"target": "y", "measured": 1},
        {"target": "y", "measured": 1, "structure": "C", "request_id": "r"},
        {"target": "y", "measured": 1, "structure": "C", "id": "a"},
    ],
)
def test_an_outcome_names_one_prediction(api, made, outcome):
    assert api.post("endpoints/e/outcomes", json={"outcomes": [outcome]}).status_code == 422


# ---- an altered file


@pytest.mark.req("F-16")
def test_an_altered_model_is_refused_and_the_last_good_revision_stays(api, resources, monkeypatch):
    """A real model, a real worker's check, one flipped byte."""
    from app.training import service as training
    from app.training.params import TrainParams

    worker = WorkerHere(resources)
    monkeypatch.setattr(worker.celery, "send_task", worker.answer)
    rows = "".join(f"{'C' * n}O,{n}\n" for n in range(1, 30))
    dataset_id, _ = ingested(resources, f"smiles,y\n{rows}", roles={"y": "target"})
    params = TrainParams(
        dataset="d",
        dataset_id=dataset_id,
        targets=("y",),
        features=({"name": "maccs"},),
        algorithm={"name": "ridge"},
        bootstrap=0,
        name="sol",
    )
    with resources.database.session() as session:
        for _ in range(2):
            outcome = training.run(resources, job_context(resources, "train"), params)
            outcome.commit(session)
    create(api)
    second = api.get("models/sol:2").json()["id"]
    manifest = api.get("models/sol:2/manifest").json()
    key = f"models/{second}/{next(n for n in sorted(manifest['files']) if 'weights' in n)}"
    data = bytearray(resources.storage.read(key))
    data[len(data) // 2] ^= 1
    with resources.storage.local_path(key).open("r+b") as stream:
        stream.write(data)
    refused = put(api, 409, routes=weights(("sol:2", 100)))
    assert refused.json()["code"] == "model_altered"
    found = active(resources)
    assert (found.number, [arm.number for arm in found.arms]) == (1, [1])
    assert api.get("endpoints/e").headers["etag"] == '"1"'
