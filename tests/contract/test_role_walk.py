"""Who may use which operation: a table written by hand from the roles that were agreed on.

It is compared with what the gateway does, for every operation of the OpenAPI document and every
role. A new operation fails until it stands here. Without the right the answer is 403 whatever is
sent and whatever it names, so that nothing can be learned from 404 or 422.
"""

import re

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts

from api.rights import OPEN, Guarded, declared, needs
from app.access.rights import Right
from tests.support.gateway import calling
from tests.support.roles import ROLES, bearer

#: the rows of the agreed table: which roles may
EVERYBODY = {"viewer", "scientist", "approver", "operator", "admin"}
MAY = {
    "read all in project, download": EVERYBODY,
    "upload, ingest, features, submit jobs, predict": {"scientist", "approver", "admin"},
    "cancel/retry/rerun own or any": {"scientist", "approver", "operator", "admin"},
    "set alias: free ones or protected": {"scientist", "approver", "admin"},
    "endpoints, canary": {"approver", "admin"},
    "endpoints: shadow at least": {"scientist", "approver", "admin"},
    "endpoints: rollback": {"approver", "operator", "admin"},
    "archive own": {"scientist", "approver", "admin"},
    "purge any, delete predictions": {"admin"},
    "workers, queues, drain, cache": {"operator", "admin"},
    "users, keys, policies, audit export": {"admin"},
    # not in the table: what every caller may ask about himself
    "oneself": EVERYBODY,
    "monitors, schedules, webhooks: own at least": {"scientist", "approver", "operator", "admin"},
    # "set alias: protected": what holds a retraining is released by who may promote
    "set alias: protected": {"approver", "admin"},
}
WORK = "upload, ingest, features, submit jobs, predict"
CONTROL = "cancel/retry/rerun own or any"
ALIAS = "set alias: free ones or protected"
ARCHIVE = "archive own"
PURGE = "purge any, delete predictions"
CLUSTER = "workers, queues, drain, cache"
ACCESS = "users, keys, policies, audit export"
WATCH = "monitors, schedules, webhooks: own at least"
APPROVE = "set alias: protected"
READ = "read all in project, download"
OPERATIONS = {
    "GET /api/v1": "oneself",
    "GET /api/v1/keys/whoami": "oneself",
    "POST /api/v1/files": WORK,
    "POST /api/v1/files/uploads": WORK,
    "PUT /api/v1/files/uploads/{}/parts/{}": WORK,
    "POST /api/v1/files/uploads/{}/complete": WORK,
    "DELETE /api/v1/files/uploads/{}": WORK,
    "POST /api/v1/files/{}/preview": READ,
    "POST /api/v1/datasets": WORK,
    "PATCH /api/v1/datasets/{}": WORK,
    "POST /api/v1/jobs": WORK,
    "POST /api/v1/jobs/estimate": READ,
    "POST /api/v1/jobs/bulk": CONTROL,
    "PATCH /api/v1/jobs/{}": CONTROL,
    "POST /api/v1/jobs/{}/cancel": CONTROL,
    "POST /api/v1/jobs/{}/retry": CONTROL,
    "POST /api/v1/jobs/{}/rerun": CONTROL,
    "POST /api/v1/workflows": WORK,
    "POST /api/v1/models": WORK,
    "POST /api/v1/models/{}/export": WORK,
    "PATCH /api/v1/models/{}": WORK,
    "DELETE /api/v1/models/{}": ARCHIVE,
    "POST /api/v1/models/{}/restore": ARCHIVE,
    "PATCH /api/v1/registry/{}": WORK,
    "PUT /api/v1/registry/{}/aliases/{}": ALIAS,
    "DELETE /api/v1/registry/{}/aliases/{}": ALIAS,
    "POST /api/v1/registry/{}/aliases/{}/rollback": ALIAS,
    "PUT /api/v1/registry/{}/policies/{}": ACCESS,
    "DELETE /api/v1/registry/{}/policies/{}": ACCESS,
    "POST /api/v1/endpoints": "endpoints, canary",
    "PUT /api/v1/endpoints/{}": "endpoints: shadow at least",
    "PATCH /api/v1/endpoints/{}": "endpoints: shadow at least",
    "DELETE /api/v1/endpoints/{}": "endpoints, canary",
    "POST /api/v1/endpoints/{}/rollback": "endpoints: rollback",
    "POST /api/v1/endpoints/{}/canary": "endpoints: rollback",
    "POST /api/v1/endpoints/{}/outcomes": WORK,
    "POST /api/v1/predictions": WORK,
    "DELETE /api/v1/predictions": PURGE,
    "DELETE /api/v1/predictions/{}": PURGE,
    "POST /api/v1/comparisons": READ,
    "GET /api/v1/admin/prediction-cache": CLUSTER,
    "DELETE /api/v1/admin/prediction-cache/{}": CLUSTER,
    "GET /api/v1/admin/queues": CLUSTER,
    "GET /api/v1/admin/workers": CLUSTER,
    "GET /api/v1/admin/diagnosis": CLUSTER,
    "GET /metrics": CLUSTER,
    "GET /api/v1/keys": ACCESS,
    "POST /api/v1/keys": ACCESS,
    "GET /api/v1/keys/{}": ACCESS,
    "POST /api/v1/keys/{}/rotate": ACCESS,
    "DELETE /api/v1/keys/{}": ACCESS,
    "GET /api/v1/audit": ACCESS,
    "GET /api/v1/audit/export": ACCESS,
    "GET /api/v1/audit/verify": ACCESS,
    "GET /api/v1/admin/quotas": ACCESS,
    "PUT /api/v1/admin/quotas": ACCESS,
    "POST /api/v1/schedules": WATCH,
    "POST /api/v1/schedules/preview": READ,
    "PATCH /api/v1/schedules/{}": WATCH,
    "DELETE /api/v1/schedules/{}": WATCH,
    "POST /api/v1/schedules/{}/pause": WATCH,
    "POST /api/v1/schedules/{}/resume": WATCH,
    "POST /api/v1/schedules/{}/run": WATCH,
    "POST /api/v1/schedules/{}/runs/{}/approve": APPROVE,
    "POST /api/v1/schedules/{}/runs/{}/reject": APPROVE,
    "POST /api/v1/webhooks": WATCH,
    "PATCH /api/v1/webhooks/{}": WATCH,
    "DELETE /api/v1/webhooks/{}": WATCH,
    "POST /api/v1/webhooks/{}/rotate": WATCH,
    "POST /api/v1/webhooks/{}/replay": WATCH,
    "POST /api/v1/webhooks/{}/test": WATCH,
    "POST /compat/worker/train": WORK,
    "POST /compat/worker/optimize": WORK,
    "GET /compat/worker/model/{}/evaluate": WORK,
    "POST /compat/osdr/api/v1/calculate-feature-vectors": WORK,
    "POST /compat/osdr/api/v1/train-model": WORK,
    "POST /compat/osdr/api/v1/predict-properties": WORK,
}
OPEN_TO_ALL = {
    *("GET /health/live", "GET /health/ready", "GET /problems", "GET /problems/{}"),
    "GET /compat/worker/health",
    *("GET /schemas", "GET /schemas/{}/{}", "GET /asyncapi.json"),
}
#: what stands for the parts of paths; nothing of it exists
PARTS = {
    "kind": "metrics",
    "number": "1",
    "prefix": "00000000",
    "name": "nothing",
    "alias": "tried",
}
NOWHERE = "019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00"
#: a stream that is let in would not end
ENDS = {"/api/v1/events/stream": "?type=NoSuchType"}
#: none of these is a valid body of any operation
BODIES = (b'{"no such field": 1}', b"{", b"")


@pytest.fixture(scope="module")
def operations():
    """(method, path template) of everything that the document describes."""
    from api.main import create_api

    paths = create_api().openapi()["paths"]
    return [(method.upper(), path) for path, found in paths.items() for method in found]


def named(method, path):
    return f"{method} {re.sub('{[^}]*}', '{}', path)}"


def row_of(operation):
    """What is only looked at is for everybody, unless the table says otherwise."""
    return OPERATIONS.get(operation) or (READ if operation.startswith("GET ") else None)


def filled(path):
    def part(match):
        name = match[1].partition(":")[0]
        return NOWHERE if name.endswith("_id") else PARTS.get(name, "nothing")

    return f"http://retort{re.sub('{([^}]*)}', part, path)}{ENDS.get(path, '')}"


@pytest.fixture
def gateway(resources):
    with calling(resources) as client:
        yield client


def test_the_table_names_operations_that_there_are(operations):
    there = {named(*operation) for operation in operations}
    assert (OPERATIONS.keys() | OPEN_TO_ALL) - there == set()
    assert {name for name in there - OPEN_TO_ALL if row_of(name) is None} == set()


@pytest.mark.req("S2-17", "goal-92", "goal-93")
@pytest.mark.parametrize("role", ROLES)
def test_each_operation_asks_for_the_right_of_its_row(gateway, resources, operations, role):
    headers = bearer(resources, role) | {"Content-Type": "application/json"}
    wrong = []
    for method, path in operations:
        if named(method, path) in OPEN_TO_ALL:
            continue
        may = role in MAY[row_of(named(method, path))]
        for body in BODIES if method != "GET" else BODIES[-1:]:
            answer = gateway.request(method, filled(path), headers=headers, content=body)
            fits = answer.status_code not in (401, 403) if may else answer.status_code == 403
            if not fits:
                wrong.append(f"{method} {path} {body}: {answer.status_code}")
            elif not may:
                said = answer.json()
                assert said["code"] == "forbidden"
                assert f"role {role}" in said["detail"]
                assert "Ask an administrator" in said["remedy"]
    assert wrong == []


@pytest.mark.req("goal-92")
def test_without_a_key_nothing_but_health_and_problems_answers(gateway, operations):
    wrong = []
    for method, path in operations:
        answer = gateway.request(method, filled(path), headers={"Authorization": ""}, content=b"{")
        if (answer.status_code == 401) == (named(method, path) in OPEN_TO_ALL):
            wrong.append(f"{method} {path}: {answer.status_code}")
    assert wrong == []


@pytest.mark.req("goal-93")
def test_every_route_is_guarded():
    """The document leaves out a few (HEAD); they are held too."""
    from api.main import create_api

    found = [
        context._effective_route
        for context in iter_route_contexts(create_api().routes)
        if context.path is not None
    ]
    routes = [getattr(route, "original_route", route) for route in found]
    ours = [route for route in routes if isinstance(route, APIRoute)]
    assert len(ours) > 100
    assert [route.path for route in ours if not isinstance(route, Guarded)] == []
    assert all(declared(route) for route in ours)


def test_a_route_that_declares_nothing_does_not_come_to_be():
    router = APIRouter(route_class=Guarded)
    with pytest.raises(TypeError, match="does not say who may use it"):
        router.get("/x")(lambda: None)
    router.get("/x", dependencies=[OPEN])(lambda: None)
    router.get("/y", dependencies=[needs(Right.READ)])(lambda: None)


@pytest.mark.parametrize("path", ["jobs", "predictions"])
def test_the_short_way_asks_for_the_same_right(gateway, resources, path):
    """These two are answered before the framework, to callers that were seen just now."""
    headers = bearer(resources, "viewer")
    assert gateway.get("jobs", headers=headers).status_code == 200
    for body in ({"kind": "train", "params": {"dataset": "d"}}, {"model": "m", "inputs": ["CCO"]}):
        assert gateway.post(path, headers=headers, json=body).status_code == 403


def test_polling_the_short_way_takes_the_right_to_read(gateway, resources):
    from app.access.keys import KeySpec, add_key
    from app.access.rights import Role

    with resources.database.session() as session:
        spec = KeySpec(name="only predicts", role=Role.SCIENTIST, scopes=["predict"])
        _, text = add_key(session, spec)
    headers = {"Authorization": f"Bearer {text}"}
    assert gateway.get("keys/whoami", headers=headers).json()["rights"] == ["predict"]
    assert gateway.get(f"jobs/{NOWHERE}", headers=headers).status_code == 403
    asked = {"model": "nothing", "inputs": ["CCO"]}
    assert gateway.post("predictions", headers=headers, json=asked).status_code == 404
