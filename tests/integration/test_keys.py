"""Keys over HTTP: shown once, narrowed, rotated, revoked; nobody gives more than he has."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from app.access.keys import KeySpec, add_key
from app.access.principal import Principal
from app.access.rights import RIGHTS_OF, Right, Role
from app.db.audit import AuditRow
from app.db.base import DEFAULT_PROJECT_ID
from app.db.projects import ApiKeyRow, ProjectRow
from tests.support.gateway import calling
from tests.support.roles import bearer

READER = {"name": "plate reader", "role": "scientist"}


@pytest.fixture
def admin(api, resources):
    """The caller of `api`, whose own key is the only one of an administrator."""
    api.headers.update(bearer(resources, "admin", name="boss"))
    return api


def made(admin, **body):
    answer = admin.post("keys", json=READER | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def holding(key):
    return {"Authorization": f"Bearer {key['key']}"}


def code(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["code"]


# ---- made and shown


@pytest.mark.req("goal-93")
def test_the_secret_is_shown_once_and_kept_nowhere(admin, resources):
    key = made(admin, expires_in_seconds=90 * 86_400)
    assert key["key"].startswith(f"rt_{key['prefix']}_")
    secret = key["key"].split("_", 2)[2]
    ends = datetime.fromisoformat(key["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < ends <= timedelta(days=90)
    for path in (f"keys/{key['prefix']}", "keys"):
        assert secret not in admin.get(path).text
    with resources.database.session() as session:
        row = session.get(ApiKeyRow, key["id"])
        assert secret not in str(vars(row))
        told = session.query(AuditRow).filter_by(resource=f"keys/{key['prefix']}").one()
        assert (told.action, told.principal) == ("keys.create", "key:boss")
        assert told.details["role"] == "scientist"
        assert secret not in str(told.details)


def test_it_works_as_what_it_was_made(admin):
    key = made(admin)
    me = admin.get("keys/whoami", headers=holding(key)).json()
    assert (me["name"], me["kind"], me["role"]) == ("key:plate reader", "key", "scientist")
    assert set(me["rights"]) == set(RIGHTS_OF[Role.SCIENTIST])
    assert me["key"]["prefix"] == key["prefix"]
    assert admin.get("jobs", headers=holding(key)).status_code == 200


def test_scopes_only_take_away(admin):
    key = made(admin, role="viewer", scopes=["predict", "read"])
    me = admin.get("keys/whoami", headers=holding(key)).json()
    assert me["rights"] == ["read"]  # a viewer does not predict, whatever its scopes say


@pytest.mark.parametrize(
    "body",
    [
        {"role": "owner"},
        {"role": "member"},
        {"name": ""},
        {"name": "a\nb"},
        {"name": " x"},
        {"scopes": ["everything"]},
        {"networks": ["10.0.0.1/8"]},
        {"networks": ["inside"]},
        {"expires_in_seconds": 1},
        {"project_id": "x"},
    ],
)
def test_what_is_no_key_is_refused(admin, body):
    assert code(admin.post("keys", json=READER | body), 422) == "invalid_request"


def test_two_keys_of_one_name_would_own_each_others_jobs(admin):
    first = made(admin)
    assert code(admin.post("keys", json=READER), 409) == "key_name_taken"
    admin.delete(f"keys/{first['prefix']}")
    assert made(admin)["prefix"] != first["prefix"]


def test_keys_are_listed_by_pages_newest_first(admin):
    prefixes = [made(admin, name=f"robot {n}")["prefix"] for n in range(3)]
    first = admin.get("keys?limit=2").json()
    assert [key["prefix"] for key in first["items"]] == prefixes[:0:-1]
    second = admin.get(f"keys?limit=2&cursor={first['next_cursor']}").json()
    assert second["items"][0]["prefix"] == prefixes[0]
    assert code(admin.get("keys/ffffffff"), 404) == "not_found"


# ---- nobody gives more than he has


@pytest.fixture
def clerk(admin, resources):
    """May give keys, and read: no more."""
    with resources.database.session() as session:
        spec = KeySpec(name="clerk", role=Role.ADMIN, scopes=["access:write", "read"])
        return {"Authorization": f"Bearer {add_key(session, spec)[1]}"}


def test_nobody_gives_more_than_he_has(admin, clerk):
    refused = admin.post("keys", json=READER, headers=clerk)
    assert code(refused, 403) == "beyond_own_rights"
    assert "jobs:write" in refused.json()["detail"]
    narrowed = READER | {"scopes": ["read"]}
    assert admin.post("keys", json=narrowed, headers=clerk).status_code == 201
    viewer = {"name": "guest", "role": "viewer"}
    assert admin.post("keys", json=viewer, headers=clerk).status_code == 201


def test_nor_takes_more_by_rotating_another(admin, clerk):
    key = made(admin, role="approver")
    answer = admin.post(f"keys/{key['prefix']}/rotate", json={}, headers=clerk)
    assert code(answer, 403) == "beyond_own_rights"
    assert admin.get(f"keys/{key['prefix']}").json()["state"] == "active"


# ---- rotated


def test_while_they_overlap_both_work_and_then_the_new_one(admin, resources):
    old = made(admin, scopes=["read"], expires_in_seconds=1_000)
    answer = admin.post(f"keys/{old['prefix']}/rotate", json={"overlap_seconds": 60})
    assert answer.status_code == 201, answer.text
    new = answer.json()
    same = ("name", "role", "scopes")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    lifetime = datetime.fromisoformat(new["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=900) < lifetime <= timedelta(seconds=1_000)
    for key in (old, new):
        assert admin.get("keys/whoami", headers=holding(key)).json()["rights"] == ["read"]
    shown = admin.get(f"keys/{old['prefix']}").json()
    assert shown["state"] == "rotated"
    left = datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC)
    assert timedelta(0) < left <= timedelta(seconds=60)
    assert code(admin.post(f"keys/{old['prefix']}/rotate"), 409) == "key_ended"
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE api_keys SET expires_at = now() WHERE prefix = %s", (old["prefix"],))
    admin.gateway.state.keys.forget()
    assert code(admin.get("jobs", headers=holding(old)), 401) == "key_expired"


def test_a_rate_and_a_quota_outlast_a_rotation(admin):
    old = made(admin)
    quota = {"key": old["name"], "queued_jobs": 3, "requests_per_second": 500, "burst": 1000}
    assert admin.put("admin/quotas", json=quota).status_code == 200
    new = admin.post(f"keys/{old['prefix']}/rotate", json={"overlap_seconds": 0}).json()
    answer = admin.get("usage", headers=holding(new))
    assert answer.headers["ratelimit-policy"] == '"key";q=1000;w=2'
    limits = {(use["scope"], use["quota"]): use["limit"] for use in answer.json()["items"]}
    assert limits["key", "queued_jobs"] == 3


def test_without_overlap_the_old_one_ends_at_once(admin):
    old = made(admin)
    assert admin.get("jobs", headers=holding(old)).status_code == 200  # it is known by now
    assert admin.post(f"keys/{old['prefix']}/rotate", json={"overlap_seconds": 0}).is_success
    assert code(admin.get("jobs", headers=holding(old)), 401) == "key_expired"


# ---- revoked


def test_a_revoked_key_stops_at_once(admin):
    key = made(admin)
    assert admin.get("jobs", headers=holding(key)).status_code == 200
    assert admin.delete(f"keys/{key['prefix']}").json()["state"] == "revoked"
    assert code(admin.get("jobs", headers=holding(key)), 401) == "key_revoked"
    again = admin.delete(f"keys/{key['prefix']}")
    assert again.json()["revoked_at"]
    assert code(admin.post(f"keys/{key['prefix']}/rotate"), 409) == "key_ended"


def own_prefix(admin):
    return admin.get("keys/whoami").json()["key"]["prefix"]


def test_the_last_key_that_can_give_keys_stays(admin, clerk):
    boss = own_prefix(admin)
    helper = admin.get("keys/whoami", headers=clerk).json()["key"]["prefix"]
    assert admin.delete(f"keys/{helper}").is_success
    assert code(admin.delete(f"keys/{boss}"), 409) == "last_admin_key"
    new = admin.post(f"keys/{boss}/rotate", json={}).json()  # the old one works for a day
    answer = admin.delete(f"keys/{new['prefix']}")
    assert code(answer, 409) == "last_admin_key"
    other = made(admin, name="deputy", role="admin")
    assert admin.delete(f"keys/{new['prefix']}").is_success
    assert code(admin.delete(f"keys/{other['prefix']}", headers=holding(other)), 409)


def test_two_administrators_cannot_each_revoke_the_other(admin):
    keys = [made(admin, name=f"deputy {n}", role="admin") for n in range(2)]
    assert admin.delete(f"keys/{own_prefix(admin)}", headers=holding(keys[0])).is_success
    found = []

    def revoke(mine, theirs):
        found.append(admin.delete(f"keys/{theirs['prefix']}", headers=holding(mine)).status_code)

    threads = [threading.Thread(target=revoke, args=pair) for pair in (keys, reversed(keys))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(200) == 1, found
    working = [key for key in keys if admin.get("jobs", headers=holding(key)).status_code == 200]
    assert len(working) == 1


def test_another_projects_keys_are_not_there(admin, resources):
    with resources.database.session() as session:
        project = ProjectRow(name="theirs")
        session.add(project)
        session.flush()
        spec = KeySpec(name="k", role=Role.VIEWER, project_id=project.id)
        prefix = add_key(session, spec)[0].prefix
    for method, path in (("GET", ""), ("POST", "/rotate"), ("DELETE", "")):
        assert code(admin.request(method, f"keys/{prefix}{path}"), 404) == "not_found"


# ---- from where


def test_a_key_is_bound_to_its_networks(resources):
    with resources.database.session() as session:
        spec = KeySpec(name="inside", role=Role.SCIENTIST, networks=["10.1.0.0/16", "fd00::/8"])
        headers = {"Authorization": f"Bearer {add_key(session, spec)[1]}"}
    for address, status in (("10.1.2.3", 200), ("10.2.2.3", 403), ("::ffff:10.1.2.3", 200)):
        with calling(resources, client=(address, 1)) as client:
            for _ in range(2):  # then it is known, and goes the short way
                answer = client.get("jobs", headers=headers)
                assert answer.status_code == status
                body = {"kind": "train", "params": {"dataset": "d"}}
                posted = client.post("jobs", json=body, headers=headers)
                assert (posted.status_code == 403) == (status == 403)
            if status == 403:
                assert answer.json()["code"] == "address_not_allowed"


@pytest.mark.parametrize("address", [None, "", "testclient", "10.1"])
def test_who_has_no_address_comes_from_nowhere(address):
    from ipaddress import ip_network

    bound = Principal(
        project_id=DEFAULT_PROJECT_ID, name="key:k", networks=(ip_network("0.0.0.0/0"),)
    )
    assert not bound.may_come_from(address)
    assert Principal(project_id=DEFAULT_PROJECT_ID, name="key:k").may_come_from(address)


# ---- what it costs


def statements(monkeypatch):
    """The text of each that Postgres is sent."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    seen = []

    def noted(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", noted)
    return seen, lambda: event.remove(Engine, "before_cursor_execute", noted)


def test_last_use_is_written_by_the_minute_and_a_known_key_costs_no_query(
    api, resources, monkeypatch
):
    key = {"key": bearer(resources, "viewer")["Authorization"].removeprefix("Bearer ")}
    seen, stop = statements(monkeypatch)
    try:
        for _ in range(20):
            assert api.get("keys/whoami", headers=holding(key)).status_code == 200
        asked = [text for text in seen if "api_keys" in text]
        assert sum("UPDATE" in text for text in asked) == 1
        assert sum("api_keys.prefix = " in text for text in asked) == 1
        api.gateway.state.keys.forget()
        seen.clear()
        assert api.get("keys/whoami", headers=holding(key)).status_code == 200
        assert not any("UPDATE" in text for text in seen)
    finally:
        stop()
    used = api.get("keys/whoami", headers=holding(key)).json()["key"]["last_used_at"]
    assert datetime.now(UTC) - datetime.fromisoformat(used) < timedelta(minutes=2)
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE api_keys SET last_used_at = now() - interval '61 s'")
    api.gateway.state.keys.forget()
    again = api.get("keys/whoami", headers=holding(key)).json()["key"]["last_used_at"]
    assert datetime.fromisoformat(again) >= datetime.fromisoformat(used)


def test_rights_of_a_key_are_never_those_of_a_later_role():
    """A scope that this release does not know gives nothing."""
    key = Principal(
        project_id=DEFAULT_PROJECT_ID, name="key:k", role=Role.ADMIN, scopes=("a:new-one",)
    )
    assert key.rights == frozenset()
    assert not key.may(Right.READ)
