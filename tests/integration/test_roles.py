"""The cells of the agreed table that differ by whose a thing is, and by what an alias is called."""

import psycopg
import pytest

from app.core.ids import new_id
from app.db.base import DEFAULT_PROJECT_ID as PROJECT
from app.db.jobs import JobRow
from app.db.models import AliasRow, ModelVersionRow
from app.db.registry import AliasPolicyRow
from tests.support.datasets import ingested, registered
from tests.support.roles import ROLES, bearer

TRAIN = {"kind": "train", "params": {"dataset": "mols"}}
STEPS = {"routes": [{"model": "sol:1", "weight": 100}]}


@pytest.fixture
def as_(resources):
    """Headers of one caller of each role; `theirs`: another scientist."""
    found = {role: bearer(resources, role) for role in ROLES}
    return found | {"theirs": bearer(resources, "scientist", name="another")}


def refused(answer, right):
    assert answer.status_code == 403, answer.text
    assert right in answer.json()["detail"]
    return True


# ---- jobs


@pytest.fixture
def job(api, as_, resources):
    """A function that submits a job of the scientist's."""
    with resources.database.session() as session:
        registered(session)

    def submit():
        answer = api.post("jobs", json=TRAIN, headers=as_["scientist"])
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    return submit


#: who may do so with the scientist's job
OTHERS_JOBS = {
    "viewer": False,
    "scientist": True,  # it is his own
    "theirs": False,
    "approver": True,
    "operator": True,
    "admin": True,
}
ACTIONS = {
    "cancel": lambda api, job, who: api.post(f"jobs/{job}/cancel", headers=who),
    # 409: it has not failed
    "retry": lambda api, job, who: api.post(f"jobs/{job}/retry", headers=who),
    "rerun": lambda api, job, who: api.post(f"jobs/{job}/rerun", json={}, headers=who),
    "label": lambda api, job, who: api.patch(
        f"jobs/{job}", json={"labels": {"a": "b"}}, headers=who
    ),
}


@pytest.mark.req("goal-93")
@pytest.mark.parametrize("action", ACTIONS)
def test_own_jobs_and_any(api, job, as_, action):
    for who, may in OTHERS_JOBS.items():
        answer = ACTIONS[action](api, job(), as_[who])
        if may:
            assert answer.status_code in (200, 202, 409), (who, answer.text)
        else:
            assert refused(answer, "jobs:control"), who


def test_a_bulk_action_reaches_own_jobs_only(api, job, as_):
    mine = job()
    asked = {"action": "cancel", "filter": {"state": "queued"}, "dry_run": False}
    assert api.post("jobs/bulk", json=asked, headers=as_["theirs"]).json()["matched"] == 0
    named = asked | {"filter": {"created_by": "key:some-scientist"}}
    assert refused(api.post("jobs/bulk", json=named, headers=as_["theirs"]), "jobs:control")
    found = api.post("jobs/bulk", json=asked, headers=as_["scientist"]).json()
    assert found["jobs"] == [mine]
    other = job()
    found = api.post("jobs/bulk", json=asked, headers=as_["operator"]).json()
    assert found["jobs"] == [other]


def test_an_operator_reruns_what_was_asked_and_nothing_else(api, job, as_):
    edits = {"params": {"seed": 7}}
    assert refused(
        api.post(f"jobs/{job()}/rerun", json=edits, headers=as_["operator"]), "jobs:write"
    )
    answer = api.post(f"jobs/{job()}/rerun", json=edits, headers=as_["approver"])
    assert answer.status_code == 202


# ---- aliases


@pytest.fixture
def models(api, as_, resources):
    """sol:1 and sol:2, made by a job of the scientist's; champion is 1."""
    dataset_id, _ = ingested(resources, "smiles,y\nCCO,1\nCCC,2\n", name="d", roles={"y": "target"})
    with resources.database.session() as session:
        job = JobRow(kind="train", queue="cpu", params={}, created_by="key:some-scientist")
        job.id, job.state, job.project_id = new_id(), "succeeded", PROJECT
        session.add(job)
        session.flush()
        rows = [
            ModelVersionRow(
                name="sol",
                number=number,
                task="regression",
                algorithm="ridge",
                hyperparameters={},
                training_config={},
                targets=[{"name": "y"}],
                metrics={},
                dataset_id=dataset_id,
                feature_set_hash="h",
                device="cpu",
                manifest_key=f"models/sol-{number}/manifest.json",
                sha256="0",
                job_id=job.id,
            )
            for number in (1, 2, 3)
        ]
        session.add_all(rows)
        session.flush()
        session.add(AliasRow(project_id=PROJECT, name="sol", alias="champion", model_id=rows[0].id))
        session.add(AliasPolicyRow(project_id=PROJECT, name="sol", alias="audited"))
        session.add(
            AliasPolicyRow(project_id=PROJECT, name="sol", alias="recorded", required=False)
        )


@pytest.fixture
def no_worker(monkeypatch):
    """Every model is sound, every gate open."""
    monkeypatch.setattr("api.gated_moves.ask", lambda *_: {"gate": None})
    monkeypatch.setattr("api.routes.endpoints.ask", lambda *_: {"inputs": "a structure"})


ALIASES = {
    # alias: who may point it
    "mine": {"scientist", "approver", "admin"},
    "recorded": {"scientist", "approver", "admin"},
    "champion": {"approver", "admin"},
    "production": {"approver", "admin"},
    "audited": {"approver", "admin"},
}


@pytest.mark.req("goal-93")
@pytest.mark.parametrize("alias", ALIASES)
def test_free_aliases_and_protected_ones(api, models, no_worker, as_, alias):
    path = f"registry/sol/aliases/{alias}"
    for number, role in enumerate(ROLES):
        answer = api.put(path, json={"version": 1 + number % 2}, headers=as_[role])
        back = api.post(f"{path}/rollback", json={}, headers=as_[role])
        gone = api.delete(f"{path}x", headers=as_[role])
        if role in ALIASES[alias]:
            assert answer.status_code == 200, (role, answer.text)
            assert back.status_code in (200, 409), (role, back.text)
            assert gone.status_code == 404
        else:
            assert refused(answer, "aliases:")
            assert refused(back, "aliases:")
            assert role == "scientist" or refused(gone, "aliases:free")
    deleted = {role: api.delete(path, headers=as_[role]).status_code for role in ROLES}
    assert {role for role, status in deleted.items() if status != 403} == ALIASES[alias]


@pytest.mark.parametrize("kind", ["train", "optimize"])
def test_a_job_points_no_alias_that_its_owner_may_not_point(api, job, as_, kind):
    job()  # the data set is there
    params = {"dataset": "mols", "alias": "production"}
    if kind == "optimize":
        params["algorithm"] = "ridge"
    body = {"kind": kind, "params": params}
    for _ in range(2):  # the whole way, and the short one
        assert refused(api.post("jobs", json=body, headers=as_["scientist"]), "aliases:protected")
    flow = {"jobs": {"a": body}}
    assert refused(api.post("workflows", json=flow, headers=as_["scientist"]), "aliases:protected")
    body["params"]["alias"] = "mine"
    assert api.post("jobs", json=body, headers=as_["scientist"]).status_code == 202
    body["params"]["alias"] = "champion"
    assert api.post("jobs", json=body, headers=as_["approver"]).status_code == 202


def test_an_alias_that_another_job_will_name_is_not_trusted(api, job, as_):
    job()
    step = {"kind": "train", "params": {"dataset": "mols", "alias": {"$from": "a.result.task"}}}
    flow = {"jobs": {"a": TRAIN, "b": step}}
    assert refused(api.post("workflows", json=flow, headers=as_["scientist"]), "aliases:protected")


# ---- endpoints


@pytest.fixture
def endpoint(api, models, no_worker, as_):
    answer = api.post("endpoints", json={"name": "e", **STEPS}, headers=as_["approver"])
    assert answer.status_code == 201, answer.text


SHADOW = {"model": "sol:2", "mode": "shadow"}
#: change of the endpoint: who may make it
CHANGES = {
    "a shadow": ({"routes": [*STEPS["routes"], SHADOW]}, {"scientist", "approver", "admin"}),
    "another model": ({"routes": [{"model": "sol:2"}]}, {"approver", "admin"}),
    "no cache": ({"cache": False}, {"approver", "admin"}),
    "a canary": ({"canary": {"model": "sol:2"}}, {"approver", "admin"}),
    "what is stored": ({"history": {"store": "all"}}, {"approver", "admin"}),
}


@pytest.mark.req("goal-93")
@pytest.mark.parametrize("what", CHANGES)
def test_scientists_change_shadows_only(api, endpoint, as_, what):
    change, may = CHANGES[what]
    for role in ROLES:
        patched = api.patch("endpoints/e", json=change, headers=as_[role] | {"If-Match": "*"})
        put = api.put("endpoints/e", json=STEPS | change, headers=as_[role] | {"If-Match": "*"})
        for answer in (patched, put):
            if role in may:
                assert answer.status_code == 200, (role, answer.text)
            else:
                assert refused(answer, "endpoints:")
        if "canary" in change and role in may:
            act = {"action": "abort"}
            assert api.post("endpoints/e/canary", json=act, headers=as_["operator"]).is_success
        back = api.put("endpoints/e", json=STEPS, headers=as_["admin"] | {"If-Match": "*"})
        assert back.status_code == 200, back.text


def test_no_shadow_while_a_canary_runs_nor_where_an_alias_has_moved(api, endpoint, as_):
    admin, scientist = (as_[role] | {"If-Match": "*"} for role in ("admin", "scientist"))
    routes = [{"model": "sol@mine"}]
    for version in (1, 2):
        moved = api.put(
            "registry/sol/aliases/mine", json={"version": version}, headers=as_["scientist"]
        )
        assert moved.status_code == 200, moved.text
        if version == 1:
            assert api.put("endpoints/e", json={"routes": routes}, headers=admin).is_success
    shadowed = {"routes": [*routes, {"model": "sol:3", "mode": "shadow"}]}
    answer = api.patch("endpoints/e", json=shadowed, headers=scientist)
    assert refused(answer, "sol@mine means another version by now")
    canary = STEPS | {"canary": {"model": "sol:2"}}
    assert api.put("endpoints/e", json=canary, headers=admin).is_success
    more = {"routes": [*STEPS["routes"], {"model": "sol:3", "mode": "shadow"}]}
    assert refused(api.patch("endpoints/e", json=more, headers=scientist), "a canary runs")


def test_operators_roll_back_and_abort(api, endpoint, as_):
    admin = as_["admin"] | {"If-Match": "*"}
    assert api.patch("endpoints/e", json={"cache": False}, headers=admin).is_success
    for role in ("viewer", "scientist"):
        answer = api.post("endpoints/e/rollback", json={}, headers=as_[role])
        assert refused(answer, "endpoints:rollback")
    assert api.post("endpoints/e/rollback", json={}, headers=as_["operator"]).is_success
    assert api.patch("endpoints/e", json=CHANGES["a canary"][0], headers=admin).is_success
    for action in ("step", "pause", "resume"):
        answer = api.post("endpoints/e/canary", json={"action": action}, headers=as_["operator"])
        assert refused(answer, "endpoints:write")
    done = api.post("endpoints/e/canary", json={"action": "abort"}, headers=as_["operator"])
    assert done.is_success, done.text


# ---- archive and purge


@pytest.mark.req("goal-93")
def test_own_models_are_archived_and_any_by_administrators(api, models, as_):
    may = {"scientist": True, "admin": True}
    for who in (*ROLES, "theirs"):
        for call in (
            lambda who: api.delete("models/sol:2", headers=as_[who]),
            lambda who: api.post("models/sol:2/restore", headers=as_[who]),
            lambda who: api.put(
                "registry/sol/aliases/archived", json={"version": 3}, headers=as_[who]
            ),
        ):
            answer = call(who)
            if may.get(who):
                assert answer.status_code == 200, (who, answer.text)
            else:
                # who may not touch aliases at all is told so first
                by_alias = "aliases" in str(answer.url) and who in ("viewer", "operator")
                assert refused(answer, "aliases:free" if by_alias else "archive:")


# ---- schedules and webhooks

NIGHTLY = {"name": "nightly", "cron": "0 2 * * *", "job": TRAIN}
HOOK = {"url": "https://lab.example/hook"}


@pytest.fixture
def watched(monkeypatch):
    """Before the settings are read: secrets of webhooks are derived with it."""
    monkeypatch.setenv("RETORT_WEBHOOK_KEYS", "k" * 32)


@pytest.mark.parametrize("role", OTHERS_JOBS)
def test_own_schedules_and_any(api, job, as_, role):
    job()
    assert api.post("schedules", json=NIGHTLY, headers=as_["scientist"]).status_code == 201
    may = OTHERS_JOBS[role]
    for answer in (
        api.post("schedules/nightly/pause", headers=as_[role]),
        api.patch(
            "schedules/nightly", json={"description": "d"}, headers=as_[role] | {"If-Match": "*"}
        ),
        api.delete("schedules/nightly", headers=as_[role] | {"If-Match": "*"}),
    ):
        assert answer.status_code < 300 if may else refused(answer, "watch:")


def test_a_schedule_does_nothing_that_its_author_may_not_do(api, job, models, as_):
    job()
    aliased = {**TRAIN, "params": {**TRAIN["params"], "alias": "champion"}}
    retrain = {"model": "sol", "dataset": "mols", "evaluate_on": "mols:1"}
    for wanted in (
        {"job": aliased},
        {"retrain": {**retrain, "then": "promote"}},
    ):
        body = {"name": "n", "cron": "0 2 * * *", **wanted}
        answer = api.post("schedules", json=body, headers=as_["scientist"])
        assert refused(answer, "aliases:protected"), wanted
    # who runs the cluster submits no jobs, nor has schedules do so
    answer = api.post("schedules", json={**NIGHTLY, "name": "o"}, headers=as_["operator"])
    assert refused(answer, "jobs:write")


@pytest.mark.parametrize("role", OTHERS_JOBS)
def test_own_webhooks_and_any(watched, api, as_, role):
    hook = api.post("webhooks", json=HOOK, headers=as_["scientist"]).json()["id"]
    may = OTHERS_JOBS[role]
    for answer in (
        api.patch(f"webhooks/{hook}", json={"types": []}, headers=as_[role] | {"If-Match": "*"}),
        api.post(f"webhooks/{hook}/rotate", json={}, headers=as_[role]),
        api.post(f"webhooks/{hook}/test", headers=as_[role]),
        api.delete(f"webhooks/{hook}", headers=as_[role] | {"If-Match": "*"}),
    ):
        assert answer.status_code < 300 if may else refused(answer, "watch:")


# ---- keys of the release before


def test_keys_without_a_role_may_what_they_could(api, models, no_worker, resources):
    old = bearer(resources)
    put = {"version": 1}
    assert api.put("registry/sol/aliases/champion", json=put, headers=old).status_code == 200
    policy = {"metric": "rmse", "required": False}
    assert api.put("registry/sol/policies/mine", json=policy, headers=old).status_code == 200
    assert api.delete("models/sol:2", headers=old).status_code == 200
    assert api.get("admin/queues", headers=old).status_code == 200
    assert api.get("http://retort/metrics", headers=old).status_code == 200
    assert api.post("endpoints", json={"name": "e", **STEPS}, headers=old).status_code == 201
    assert refused(api.delete("predictions?model=sol", headers=old), "purge")
    assert refused(api.get("keys", headers=old), "access:write")


def test_a_key_that_the_release_before_made_an_administrators_is_one(api, resources):
    headers = bearer(resources)
    with psycopg.connect(resources.settings.database_url) as connection:
        connection.execute("UPDATE api_keys SET is_admin = true WHERE role IS NULL")
    assert api.get("keys/whoami", headers=headers).json()["role"] == "admin"
    assert api.get("keys", headers=headers).status_code == 200
