"""The chain of the audit log: whatever was done to it afterwards is found, and where."""

import threading

import orjson
import pytest

from app.access import audit
from app.access.chain import seal, seal_all
from app.access.principal import Principal
from app.access.verification import anchor_all, read_anchors, verify
from app.db.base import DEFAULT_PROJECT_ID
from app.db.projects import ProjectRow

CALLER = Principal(project_id=DEFAULT_PROJECT_ID, name="key:test")

pytestmark = pytest.mark.req("goal-94", "S1-40")


def write(resources, count=1, caller=CALLER, **details):
    for n in range(count):
        with resources.database.session() as session:
            audit.record(session, caller, "things.change", f"things/{n}", n=n, **details)


def checked(resources, project=DEFAULT_PROJECT_ID):
    return verify(resources.database, resources.storage, project)


def forged(resources, statement):
    """By somebody who owns the database."""
    with resources.database.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        cursor.execute(statement)
        assert cursor.rowcount == 1
        cursor.execute("ALTER TABLE audit_log ENABLE TRIGGER USER")


def test_an_empty_log_is_unbroken(resources):
    found = checked(resources)
    assert (found.entries, found.breach) == (0, None)


def test_entries_are_chained_in_the_order_of_their_ids(resources):
    write(resources, 5, after={"x": 1.5, "ü": [None, True]})
    found = checked(resources)
    assert (found.entries, found.breach) == (5, None)
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT number, prev_hash, hash, resource FROM audit_log ORDER BY id")
        rows = cursor.fetchall()
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[0]["prev_hash"] == "0" * 64
    assert [row["prev_hash"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]


@pytest.mark.parametrize(
    "change",
    [
        "principal = 'key:somebody-else'",
        "details = '{\"n\": 99}'",
        "at = at + interval '1 microsecond'",
        "after = '{}'",
        "resource = resource || 'x'",
        "ip = '10.0.0.1'",
    ],
)
def test_an_altered_entry_is_named(resources, change):
    write(resources, 4)
    seal_all(resources.database)
    forged(resources, f"UPDATE audit_log SET {change} WHERE number = 3")
    breach = checked(resources).breach
    assert (breach.number, "altered" in breach.reason) == (3, True)


def test_a_removed_entry_is_named(resources):
    write(resources, 4)
    seal_all(resources.database)
    forged(resources, "DELETE FROM audit_log WHERE number = 2")
    breach = checked(resources).breach
    assert (breach.number, breach.entry_id, "gone" in breach.reason) == (2, None, True)


def test_the_end_cut_off_is_found_by_the_anchor(resources):
    write(resources, 4)
    assert anchor_all(resources.database, resources.storage) == 1
    forged(resources, "DELETE FROM audit_log WHERE number = 4")
    breach = checked(resources).breach
    assert (breach.number, "the last 1 are gone" in breach.reason) == (4, True)


def test_a_chain_computed_anew_is_found_by_the_anchor(resources):
    write(resources, 3)
    anchor_all(resources.database, resources.storage)
    forged(
        resources,
        "WITH x AS (SELECT set_config('x.x', '', true)) UPDATE audit_log SET principal = 'me'"
        " WHERE number = 2",
    )
    with resources.database.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_log SET number = NULL, prev_hash = NULL, hash = NULL")
        cursor.execute("ALTER TABLE audit_log ENABLE TRIGGER USER")
    breach = checked(resources).breach
    assert (breach.number, "rewritten" in breach.reason) == (3, True)


def test_one_anchor_a_day_however_many_beats(resources):
    write(resources, 2)
    made = []

    def beat():
        made.append(anchor_all(resources.database, resources.storage))

    beats = [threading.Thread(target=beat) for _ in range(4)]
    for one in beats:
        one.start()
    for one in beats:
        one.join()
    assert sum(made) == 1
    write(resources)
    assert anchor_all(resources.database, resources.storage) == 0
    assert list(read_anchors(resources.storage, DEFAULT_PROJECT_ID)) == [2]
    (key,) = resources.storage.list("audit/")
    assert orjson.loads(resources.storage.read(key))["number"] == 2


def test_projects_have_chains_of_their_own(resources):
    with resources.database.session() as session:
        other = ProjectRow(name="other")
        session.add(other)
        session.flush()
    write(resources, 2)
    write(resources, 3, caller=Principal(project_id=other.id, name="key:other"))
    assert seal_all(resources.database) == 5
    assert checked(resources).entries == 2
    assert checked(resources, other.id).entries == 3


def test_writers_and_sealers_at_once_leave_one_chain(resources):
    stop = threading.Event()

    def sealer():
        while not stop.is_set():
            seal_all(resources.database)

    sealers = [threading.Thread(target=sealer) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(resources, 20)) for _ in range(4)]
    for one in sealers + writers:
        one.start()
    for one in writers:
        one.join()
    stop.set()
    for one in sealers:
        one.join()
    found = checked(resources)
    assert (found.entries, found.breach) == (80, None)
    assert seal(resources.database, DEFAULT_PROJECT_ID) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET principal = 'nobody'",
        "UPDATE audit_log SET number = 7, prev_hash = 'a', hash = 'b', principal = 'nobody'",
        "UPDATE audit_log SET hash = 'b'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ],
)
@pytest.mark.parametrize("sealed", [True, False])
def test_the_log_is_only_added_to(resources, statement, sealed):
    write(resources)
    if sealed:
        seal_all(resources.database)
    with (
        pytest.raises(Exception, match="the audit log is only added to"),
        resources.database.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_secrets_are_never_kept(resources):
    secret = "rt_0123abcd_" + "s" * 43
    write(resources, after={"secret": "abc", "note": f"use {secret}"}, token="t0p")
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT after::text || details::text AS told FROM audit_log")
        told = cursor.fetchone()["told"]
    assert "sss" not in told
    assert "abc" not in told.replace("0123abcd", "")
    assert "t0p" not in told
