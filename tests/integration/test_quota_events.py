"""QuotaExceeded: a refused request is told of, although nothing of the request is kept."""

from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from api.quota_teller import QuotaTeller
from app.core.errors import QuotaExceeded, UsedUp
from app.db.base import DEFAULT_PROJECT_ID
from app.events.exceeded import tell_exceeded
from app.events.publisher import sequence
from tests.integration.test_quotas import TRAIN, lab, limit  # noqa: F401 - a fixture
from tests.support.event_checks import check_envelope
from tests.support.waiting import wait_for

pytestmark = pytest.mark.req("goal-21")


def told(resources):
    """Data of the events, in the order of writing."""
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT data FROM events WHERE type = 'QuotaExceeded' ORDER BY number")
        return [row["data"] for row in cursor.fetchall()]


def used_up(caller="key:reader", quota="queued_jobs", scope="key"):
    return UsedUp(
        project_id=DEFAULT_PROJECT_ID, caller=caller, scope=scope, quota=quota, limit=2, used=2
    )


@pytest.mark.parametrize(("key", "scope"), [(None, "project"), ("test", "key")])
def test_many_refused_submissions_are_one_event(lab, resources, key, scope):  # noqa: F811
    limit(lab, resources, key=key, queued_jobs=1)
    assert lab.post("jobs", json=TRAIN).status_code == 202
    for _ in range(5):
        assert lab.post("jobs", json=TRAIN).status_code == 429
    wait_for(lambda: told(resources), "the event is written", 10)
    assert told(resources) == [
        {
            "principal": "key:test",
            "quota": "queued_jobs",
            "scope": scope,
            "limit": 1.0,
            "used": 1.0,
        }
    ]
    sequence(resources.database)
    (event,) = lab.get("events", params={"type": "QuotaExceeded"}).json()["items"]
    check_envelope(event)
    assert event["subject"] == "quotas/queued_jobs"


def test_a_refused_file_is_told_of(lab, resources):  # noqa: F811
    limit(lab, resources, key="test", stored_bytes=3)
    answer = lab.post("files", files={"file": ("m.csv", b"smiles\nCCO\n", "text/csv")})
    assert answer.status_code == 429
    wait_for(lambda: told(resources), "the event is written", 10)
    (found,) = told(resources)
    assert (found["quota"], found["limit"]) == ("stored_bytes", 3.0)


def test_a_command_that_waits_is_told_of(lab, resources):  # noqa: F811
    from app.commands.stream import STREAM, take

    limit(lab, resources, queued_jobs=0)
    command = {"type": "PredictProperties", "id": "order-1", "user_id": "ada"}
    command |= {"model_id": "m", "dataset_id": "mols"}
    resources.redis.xadd(STREAM, {"command": orjson.dumps(command)})
    assert take(resources, "me", lambda job: None) == 0
    assert [found["principal"] for found in told(resources)] == ["command:ada"]


def test_a_scheduled_job_is_told_of(lab, resources):  # noqa: F811
    spec = {"name": "nightly", "cron": "0 2 * * *", "job": TRAIN}
    answer = lab.post("schedules", json=spec)
    assert answer.status_code == 201, answer.text
    limit(lab, resources, queued_jobs=0)
    run = lab.post("schedules/nightly/run").json()
    assert (run["state"], run["error"]["code"]) == ("failed", "quota_exceeded")
    assert [found["quota"] for found in told(resources)] == ["queued_jobs"]


def test_each_caller_quota_and_day_has_its_own(resources):
    database = resources.database
    for one in (
        used_up(),
        used_up("key:b"),
        used_up(quota="stored_bytes"),
        used_up(scope="project"),
    ):
        assert tell_exceeded(database, one)
        assert not tell_exceeded(database, one)
        sequence(database)  # published or not
        assert not tell_exceeded(database, one)
    assert len(told(resources)) == 4
    with database.cursor() as cursor:
        cursor.execute("UPDATE events SET at = at - interval '25 hours'")
    assert tell_exceeded(database, used_up())


def test_many_gateways_at_once_tell_once(resources):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tell_exceeded(resources.database, used_up()), range(16)))
    assert sorted(found) == [False] * 15 + [True]


def test_what_could_not_be_told_is_tried_again(resources, monkeypatch, caplog):
    error, tries = QuotaExceeded("used up"), []
    error.used_up = used_up()

    def fail(*given):
        tries.append(given)
        raise OSError("no database")

    monkeypatch.setattr("api.quota_teller.tell_exceeded", fail)
    teller = QuotaTeller(resources.database)
    teller.tell(error)
    wait_for(lambda: "no database" in caplog.text, "it was logged", 10)
    wait_for(lambda: not teller._quiet, "it may be tried again", 10)
    monkeypatch.undo()
    teller.tell(error)
    teller.close()
    assert (len(tries), len(told(resources))) == (1, 1)
