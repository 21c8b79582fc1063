"""The audit log over HTTP: who may read it, which entries a filter means, exports, verification."""

import csv
import io
import json
from datetime import timedelta

import pytest

from app.access import audit, chain
from app.access.keys import create_key
from app.access.principal import Principal
from app.core.clock import utc_now
from app.db.base import DEFAULT_PROJECT_ID
from app.db.projects import ProjectRow
from tests.support.gateway import calling

pytestmark = pytest.mark.req("goal-94", "S1-40")


@pytest.fixture
def admin(resources):
    with calling(resources) as api:
        with resources.database.session() as session:
            key = create_key(session, name="admin", is_admin=True)
        api.headers["Authorization"] = f"Bearer {key.text}"
        yield api


def write(resources, action, resource, *, by="key:ana", project=DEFAULT_PROJECT_ID, **details):
    caller = Principal(project_id=project, name=by)
    with resources.database.session() as session:
        audit.record(session, caller, action, resource, **details)


def resources_of(answer):
    assert answer.status_code == 200, answer.text
    return [item["resource"] for item in answer.json()["items"]]


@pytest.mark.parametrize("path", ["audit", "audit/export", "audit/verify"])
def test_only_administrators_may_read_it(api, path):
    answer = api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_filters(admin, resources):
    write(resources, "registry.aliases.promoted", "registry/sol/aliases/champion")
    write(resources, "registry.change", "registry/solubility", by="key:bob")
    write(resources, "registryx", "registry/sol")
    assert resources_of(admin.get("audit", params={"principal": "key:bob"})) == [
        "registry/solubility"
    ]
    assert resources_of(admin.get("audit", params={"action": "registry"})) == [
        "registry/solubility",
        "registry/sol/aliases/champion",
    ]
    assert resources_of(admin.get("audit", params={"resource": "registry/sol"})) == [
        "registry/sol",
        "registry/sol/aliases/champion",
    ]
    later = (utc_now() + timedelta(hours=1)).isoformat()
    assert resources_of(admin.get("audit", params={"since": later})) == []
    assert len(resources_of(admin.get("audit", params={"until": later}))) == 3


def test_pages_are_newest_first_and_complete(admin, resources):
    for n in range(7):
        write(resources, "things.change", f"things/{n}")
    seen, cursor = [], {}
    while True:
        answer = admin.get("audit", params={"limit": 3, "action": "things", **cursor})
        seen += resources_of(answer)
        if answer.json()["next_cursor"] is None:
            break
        cursor = {"cursor": answer.json()["next_cursor"]}
    assert seen == [f"things/{n}" for n in reversed(range(7))]


def test_nothing_of_another_project_is_shown(admin, resources):
    with resources.database.session() as session:
        other = ProjectRow(name="other")
        session.add(other)
        session.flush()
    write(resources, "things.change", "things/theirs", project=other.id)
    assert resources_of(admin.get("audit")) == []
    assert "theirs" not in admin.get("audit/export").text
    assert admin.get("audit/verify").json()["entries"] == 1  # that it was exported


def test_jsonl_is_exact_and_csv_is_safe_in_a_spreadsheet(admin, resources, monkeypatch):
    monkeypatch.setattr(chain, "_BATCH", 2)
    for n in range(5):
        write(resources, "things.change", f"=cmd|{n}", note='a "quote", a comma\n', after={"n": n})
    lines = admin.get("audit/export", params={"format": "jsonl", "action": "things"}).text
    found = [json.loads(line) for line in lines.splitlines()]
    assert [entry["number"] for entry in found] == [1, 2, 3, 4, 5]
    assert found[4]["resource"] == "=cmd|4"
    assert found[4]["after"] == {"n": 4}
    answer = admin.get("audit/export", params={"format": "csv", "action": "things"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["resource"] for row in rows] == [f"'=cmd|{n}" for n in range(5)]
    assert json.loads(rows[0]["details"]) == {"note": 'a "quote", a comma\n'}
    assert [row["hash"] for row in rows] == [entry["hash"] for entry in found]


def test_an_export_is_told(admin):
    admin.get("audit/export", params={"format": "csv", "principal": "key:ana"})
    (entry,) = admin.get("audit").json()["items"]
    assert (entry["action"], entry["principal"]) == ("audit.export", "key:admin")
    assert entry["details"] == {"format": "csv", "asked": {"principal": "key:ana"}}
    assert entry["ip"] == "testclient"


def test_verification_says_what_was_altered(admin, resources):
    for n in range(3):
        write(resources, "things.change", f"things/{n}")
    found = admin.get("audit/verify").json()
    assert (found["entries"], found["unbroken"], found["breach"]) == (3, True, None)
    with resources.database.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_log SET principal = 'key:bob' WHERE number = 2 RETURNING id")
        altered = str(cursor.fetchone()["id"])
    found = admin.get("audit/verify").json()
    assert (found["entries"], found["unbroken"]) == (1, False)
    assert (found["breach"]["number"], found["breach"]["entry_id"]) == (2, altered)
