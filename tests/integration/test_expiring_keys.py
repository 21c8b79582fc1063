"""ApiKeyExpiring: a week before a key ends, once, however many control workers look."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.access.expiring import tell_expiring
from app.access.keys import KeySpec, add_key
from app.access.rights import Role
from app.db.projects import ApiKeyRow
from app.events.publisher import sequence
from tests.support.event_checks import check_envelope

pytestmark = pytest.mark.req("goal-93")


def key(resources, name, *, ends, made=-90, **fields):
    """`ends`, `made`: days from now. The prefix."""
    now = datetime.now(UTC)
    with resources.database.session() as session:
        at = None if ends is None else now + timedelta(days=ends)
        row, _ = add_key(session, KeySpec(name=name, role=Role.VIEWER, expires_at=at))
        row.created_at = now + timedelta(days=made)
        for field, value in fields.items():
            setattr(row, field, value)
        return row.prefix


def told(resources):
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT data FROM events WHERE type = 'ApiKeyExpiring' ORDER BY number")
        return [row["data"]["name"] for row in cursor.fetchall()]


def test_those_that_end_within_a_week_are_told_of_once(api, resources):
    prefix = key(resources, "soon", ends=6.9)
    key(resources, "later", ends=7.1)
    key(resources, "never", ends=None)
    key(resources, "over", ends=-0.1)
    key(resources, "revoked", ends=3, revoked_at=datetime.now(UTC))
    key(resources, "made for a day", ends=0.9, made=-0.1)
    assert tell_expiring(resources.database) == 1
    assert tell_expiring(resources.database) == 0
    assert told(resources) == ["soon"]
    sequence(resources.database)
    (event,) = api.get("events", params={"subject": f"keys/{prefix}"}).json()["items"]
    check_envelope(event)
    assert event["data"]["prefix"] == prefix
    ends = datetime.fromisoformat(event["data"]["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6.8) < ends < timedelta(days=6.9)


def test_one_that_a_rotation_has_replaced_ends_as_it_was_meant_to(resources):
    prefix = key(resources, "plate reader", ends=6)
    new = key(resources, "plate reader", ends=6, made=-10)
    with resources.database.session() as session:
        new_id = session.query(ApiKeyRow).filter_by(prefix=new).one().id
        session.query(ApiKeyRow).filter_by(prefix=prefix).one().replaced_by_id = new_id
    assert tell_expiring(resources.database) == 1
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT subject FROM events WHERE type = 'ApiKeyExpiring'")
        assert [row["subject"] for row in cursor.fetchall()] == [f"keys/{new}"]


def test_many_rounds_at_once_tell_of_each_key_once(resources):
    names = [f"key {number}" for number in range(40)]
    for name in names:
        key(resources, name, ends=5)
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: tell_expiring(resources.database), range(8)))
    assert sum(counts) == 40
    assert sorted(told(resources)) == sorted(names)


def test_beat_asks_the_control_queue(resources, monkeypatch):
    from tasks import maintenance
    from workers import rounds
    from workers.celery_app import celery_app

    [entry] = [
        entry
        for entry in celery_app.conf.beat_schedule.values()
        if entry["task"] == maintenance.tell_expiring_keys.name
    ]
    assert (entry["schedule"], entry["options"]) == (3600.0, {"queue": "control"})
    monkeypatch.setattr(rounds, "_ran_at", {})
    key(resources, "soon", ends=2)
    maintenance.tell_expiring_keys()
    assert told(resources) == ["soon"]
