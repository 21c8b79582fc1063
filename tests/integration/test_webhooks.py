"""Webhooks against a real receiver: at least once, in order per job, signed, whatever dies."""

import logging
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from app.core.errors import InvalidInput
from app.core.settings import get_settings
from app.events.publisher import publish, sequence
from app.jobs.control import request_cancel
from app.jobs.finish import end_badly
from app.resources import get_resources
from app.webhooks.deliveries import fan_out
from app.webhooks.rounds import send_alone
from app.webhooks.sender import claim, exchange, options_of, send_due, settle
from retort.webhooks import verify
from tests.integration.test_events import claim as claim_job_of
from tests.integration.test_events import submit, tell
from tests.support.event_checks import check_envelope
from tests.support.gateway import calling
from tests.support.receiver import Receiver
from tests.support.waiting import wait_for

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def retort_environment(retort_environment, monkeypatch):
    more = {"RETORT_WEBHOOK_KEYS": KEY, "RETORT_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    # the first import of the Celery application has read them already
    get_settings.cache_clear()
    get_resources.cache_clear()
    return retort_environment | more


@pytest.fixture
def options(resources):
    return replace(options_of(resources.settings), retry_seconds=(0.01,) * 8)


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


def add(api, url, **fields):
    answer = api.post("webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def deliver(resources, options, rounds=400):
    """Until nothing waits."""
    publish(resources.database, resources.redis)
    fan_out(resources.database)
    for _ in range(rounds):
        send_due(resources.database, options)
        with resources.database.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id"
                " WHERE d.state = 'pending' AND w.state = 'active'"
            )
            if cursor.fetchone() is None:
                return
        time.sleep(0.02)
    raise AssertionError("something still waits")


def numbers(receiver, subject="a"):
    return [
        int(one.event["data"]["webhook_id"])
        for one in receiver.accepted
        if one.event["subject"] == subject
    ]


def fail_jobs(database, count):
    """Jobs that are claimed and fail: four events each."""
    jobs = [submit(database, correlation_id=f"c-{n}") for n in range(count)]
    for job in jobs:
        end_badly(database, claim_job_of(database, job), InvalidInput("no"))
    return jobs


def check_orders(received, jobs):
    """Of each job every event, each at least once, the first time in the order of happening."""
    seen = defaultdict(list)
    for one in received:
        event = one.event
        if event["id"] not in [known["id"] for known in seen[event["subject"]]]:
            seen[event["subject"]].append(event)
    for job in jobs:
        told = [(event["type"], event["data"].get("state")) for event in seen[f"jobs/{job.id}"]]
        assert told == [
            ("JobStateChanged", "running"),
            ("ModelTrainingStarted", None),
            ("JobStateChanged", "failed"),
            ("TrainingFailed", None),
        ]


@pytest.mark.req("goal-15")
def test_a_receiver_that_fails_five_times_gets_all_in_order_and_signed(
    resources, api, receiver, options
):
    hook = add(api, receiver.url)
    receiver.statuses = [500, 503, 404, 500, 429]
    jobs = fail_jobs(resources.database, 6)
    deliver(resources, options)
    assert [one.status for one in receiver.received].count(200) == 24
    assert len(receiver.received) == 29
    check_orders(receiver.accepted, jobs)
    for one in receiver.received:
        Webhook(hook["secret"]).verify(one.body, one.headers)
        assert verify(one.headers, one.body, hook["secret"]) == one.event
        check_envelope(one.event)
        assert one.headers["webhook-id"] == one.event["id"]
        assert one.headers["content-type"] == "application/cloudevents+json"
    items = api.get(f"webhooks/{hook['id']}/deliveries").json()["items"]
    assert {item["state"] for item in items} == {"delivered"}
    assert {item["response"] for item in items} == {"thanks"}
    assert api.get(f"webhooks/{hook['id']}").json()["failures"] == 0


@pytest.mark.req("goal-15")
def test_senders_that_are_killed_lose_nothing(resources, api, receiver, retort_environment):
    """SIGKILL at any moment, again and again, while the receiver fails now and then too."""
    hook = add(api, receiver.url)
    chance = random.Random(7)
    receiver.delay = 0.01
    receiver.statuses = [500 if chance.random() < 0.3 else 200 for _ in range(60)]
    jobs = fail_jobs(resources.database, 10)
    publish(resources.database, resources.redis)
    kills = 0

    def waiting():
        with resources.database.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) AS n FROM webhook_deliveries WHERE state <> 'delivered'"
            )
            return cursor.fetchone()["n"]

    def start():
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.send_webhooks", "0.5"],
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        return process

    for _ in range(3):
        process = start()
        got = len(receiver.received)
        wait_for(lambda got=got: len(receiver.received) > got + 3, "it sends")
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    process = start()
    try:
        wait_for(lambda: waiting() == 0 and len(receiver.accepted) >= 40, "all are delivered")
    finally:
        process.kill()
        process.wait()
    assert kills == 3
    check_orders(receiver.accepted, jobs)
    for one in receiver.received:
        Webhook(hook["secret"]).verify(one.body, one.headers)


def test_a_sender_whose_lease_is_over_writes_nothing(resources, api, receiver, options):
    add(api, receiver.url)
    tell_and_publish(resources, "jobs/1", 1)
    slow = replace(options, lease_seconds=0.0)
    first = claim(resources.database, slow, [])
    second = claim(resources.database, slow, [])
    assert first.id == second.id
    settle(resources.database, slow, second, exchange(resources.database, slow, second))
    late = replace(exchange(resources.database, slow, first), ok=False, status=500)
    settle(resources.database, slow, first, late)
    assert claim(resources.database, slow, []) is None


def tell_and_publish(resources, *events):
    """(subject, n) ...: of a type that webhooks may ask for."""
    from app.db.base import DEFAULT_PROJECT_ID
    from app.events.log import NewEvent, record
    from app.events.types.models import ModelArchived

    for subject, n in zip(events[::2], events[1::2], strict=True):
        data = ModelArchived(model_id=str(n), name="m", number=n, by="test")
        with resources.database.cursor() as cursor:
            record(cursor, [NewEvent(project_id=DEFAULT_PROJECT_ID, subject=subject, data=data)])
    sequence(resources.database)
    fan_out(resources.database)


def archived(receiver):
    return [one.event["data"]["number"] for one in receiver.accepted]


def test_what_fails_holds_up_its_own_subject_only(resources, api, receiver, options):
    add(api, receiver.url)
    tell_and_publish(resources, "a", 1, "a", 2, "b", 3)
    receiver.statuses = [500]
    patient = replace(options, retry_seconds=(3600.0,), threads=1)
    send_due(resources.database, patient)
    assert archived(receiver) == [3]


def test_types_and_labels_choose(resources, api, receiver, options):
    add(api, receiver.url, types=["TrainingFailed"], filter={"lab": "a"})
    for labels in ({"lab": "a"}, {"lab": "b"}, {}):
        job = submit(resources.database, labels=labels)
        end_badly(resources.database, claim_job_of(resources.database, job), InvalidInput("no"))
    deliver(resources, options)
    (one,) = receiver.received
    assert one.event["type"] == "TrainingFailed"


def test_after_the_last_try_it_is_failed_and_the_next_one_goes(resources, api, receiver, options):
    hook = add(api, receiver.url)
    receiver.statuses = [500] * 3
    tell_and_publish(resources, "a", 1, "a", 2)
    short = replace(options, retry_seconds=(0.01, 0.01))
    deliver(resources, short)
    assert archived(receiver) == [2]
    (failed,) = api.get(f"webhooks/{hook['id']}/deliveries", params={"state": "failed"}).json()[
        "items"
    ]
    assert (failed["status"], failed["attempt"]) == (500, 3)
    assert failed["error"] == "the receiver answered 500"


@pytest.mark.req("goal-15")
def test_replay_sends_again_what_is_named_or_of_a_time(resources, api, receiver, options):
    hook = add(api, receiver.url)
    tell_and_publish(resources, "a", 1, "b", 2)
    deliver(resources, options)
    where = f"webhooks/{hook['id']}"
    items = api.get(f"{where}/deliveries").json()["items"]
    one = next(item for item in items if item["subject"] == "a")
    answer = api.post(f"{where}/replay", json={"delivery_ids": [one["id"]]})
    assert (answer.status_code, answer.json()["count"]) == (202, 1)
    deliver(resources, options)
    assert sorted(archived(receiver)) == [1, 1, 2]
    first, again = (r for r in receiver.received if r.event["subject"] == "a")
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert api.post(f"{where}/replay", json={"since": since}).json()["count"] == 2
    deliver(resources, options)
    assert sorted(archived(receiver)) == [1, 1, 1, 2, 2]
    full = api.get(f"{where}/deliveries/{one['id']}").json()
    assert full["replays"] == 2
    assert full["event"] == receiver.received[-1].event or full["event"]["id"] == one["event_id"]


@pytest.mark.req("goal-15")
def test_while_a_secret_is_rotated_both_are_valid(resources, api, receiver, options):
    hook = add(api, receiver.url)
    where = f"webhooks/{hook['id']}"
    key = {"Idempotency-Key": "rotate-once-1"}
    new = api.post(f"{where}/rotate", json={}, headers=key).json()["secret"]
    again = api.post(f"{where}/rotate", json={}, headers=key)
    assert again.json()["secret"] == new != hook["secret"]
    tell_and_publish(resources, "a", 1)
    deliver(resources, options)
    (one,) = receiver.received
    for secret in (new, hook["secret"]):
        assert verify(one.headers, one.body, secret)
    newest = api.post(f"{where}/rotate", json={"overlap_seconds": 0}).json()["secret"]
    tell_and_publish(resources, "a", 2)
    deliver(resources, options)
    last = receiver.received[-1]
    assert verify(last.headers, last.body, newest)
    for secret in (new, hook["secret"]):
        with pytest.raises(ValueError, match="signature"):
            verify(last.headers, last.body, secret)


def test_a_test_is_sent_to_this_webhook_only(resources, api, receiver, options):
    with Receiver() as other:
        hook = add(api, receiver.url, types=["ModelTrained"])
        add(api, other.url)
        made = api.post(f"webhooks/{hook['id']}/test")
        assert made.status_code == 202
        deliver(resources, options)
        (one,) = receiver.received
        assert one.event["type"] == "WebhookTested"
        check_envelope(one.event)
        assert other.received == []
        done = api.get(made.headers["location"].removeprefix("/api/v1/")).json()
        assert (done["state"], done["status"]) == ("delivered", 200)


@pytest.mark.req("goal-15")
def test_a_webhook_that_only_fails_is_disabled_and_the_others_are_told(
    resources, api, receiver, options
):
    with Receiver() as watcher:
        hook = add(api, receiver.url, types=["ModelArchived"])
        add(api, watcher.url, types=["WebhookDisabled"])
        receiver.statuses = [500] * 99
        tell_and_publish(resources, "a", 1, "b", 2)
        hours = replace(options, disable_failures=4)
        deliver(resources, replace(hours, retry_seconds=(0.01,)))
        now = api.get(f"webhooks/{hook['id']}").json()
        # four tries, but not for three days
        assert (now["state"], now["failures"]) == ("active", 4)
        tell_and_publish(resources, "c", 3)
        deliver(resources, replace(hours, disable_hours=0.0))
        now = api.get(f"webhooks/{hook['id']}").json()
        assert now["state"] == "disabled"
        assert "5 tries in a row" in now["disabled_reason"]
        deliver(resources, options)
        (told,) = watcher.received
        assert told.event["data"]["webhook_id"] == hook["id"]
        check_envelope(told.event)
        assert api.post(f"webhooks/{hook['id']}/test").json()["code"] == "webhook_not_active"
        # set going again, it is sent what comes; what was missed by a replay
        receiver.statuses = []
        etag = {"If-Match": f'"{now["version"]}"'}
        body = {"state": "active"}
        assert api.patch(f"webhooks/{hook['id']}", json=body, headers=etag).status_code == 200
        deliver(resources, options)
        assert archived(receiver) == []
        failed = {
            "delivery_ids": [
                i["id"]
                for i in api.get(
                    f"webhooks/{hook['id']}/deliveries", params={"state": "failed"}
                ).json()["items"]
            ]
        }
        assert api.post(f"webhooks/{hook['id']}/replay", json=failed).json()["count"] == 3
        deliver(resources, options)
        assert sorted(archived(receiver)) == [1, 2, 3]


def test_gone_is_gone_at_once(resources, api, receiver, options):
    hook = add(api, receiver.url)
    receiver.statuses = [410]
    tell_and_publish(resources, "a", 1)
    deliver(resources, options)
    assert api.get(f"webhooks/{hook['id']}").json()["state"] == "disabled"
    assert len(receiver.received) == 1


@pytest.mark.req("goal-15")
def test_addresses_inside_are_refused_when_named_and_when_sent(resources, api, receiver, options):
    for url in ("https://10.0.0.1/", "http://169.254.169.254/latest", "https://[::1]/"):
        answer = api.post("webhooks", json={"url": url})
        assert (answer.status_code, answer.json()["code"]) == (422, "address_refused")
    hook = add(api, receiver.url)
    tell_and_publish(resources, "a", 1)
    strict = replace(options, policy=replace(options.policy, networks=()), retry_seconds=())
    deliver(resources, strict)
    assert receiver.received == []
    (item,) = api.get(f"webhooks/{hook['id']}/deliveries").json()["items"]
    assert (item["state"], item["status"]) == ("failed", None)
    assert item["error"]


@pytest.mark.req("goal-15")
def test_a_redirect_is_a_failure_and_not_followed(resources, api, receiver, options):
    with Receiver() as inner:
        receiver.statuses, receiver.headers = [307], {"Location": inner.url}
        hook = add(api, receiver.url)
        tell_and_publish(resources, "a", 1)
        deliver(resources, replace(options, retry_seconds=()))
        assert inner.received == []
        (item,) = api.get(f"webhooks/{hook['id']}/deliveries").json()["items"]
        assert item["error"] == "the receiver answered 307"


def test_only_one_process_sends_at_a_time(resources, api, receiver, options):
    add(api, receiver.url)
    tell_and_publish(resources, "a", 1)
    holder = resources.database.connect()
    holder.execute("SELECT pg_advisory_lock(7401, 1)")
    assert send_alone(resources.database, options) == {}
    holder.close()
    wait_for(lambda: send_alone(resources.database, options) == {"delivered": 1}, "it may send")


def test_a_sender_that_stands_still_gives_way(resources, options, monkeypatch):
    """A stopped process keeps its connection: without an end its lock would stop every webhook."""
    sending, woken = threading.Event(), threading.Event()
    short = replace(options, round_seconds=0.5, lease_seconds=0.5)

    def stand_still(*_):
        sending.set()
        woken.wait(60)
        return {}

    monkeypatch.setattr("app.webhooks.rounds.send_due", stand_still)
    frozen = threading.Thread(target=send_alone, args=(resources.database, short))
    frozen.start()
    assert sending.wait(30)
    try:
        monkeypatch.setattr("app.webhooks.rounds.send_due", lambda *_: {"delivered": 1})
        assert send_alone(resources.database, options) == {}
        wait_for(lambda: send_alone(resources.database, options) == {"delivered": 1}, "its turn")
    finally:
        woken.set()
        frozen.join()


# ---- over HTTP


def test_a_webhook_is_changed_with_its_etag_only(resources, api, receiver):
    hook = add(api, receiver.url, description="mine", labels={"a": "b"})
    where = f"webhooks/{hook['id']}"
    read = api.get(where)
    assert "secret" not in read.json()
    assert api.get(where, headers={"If-None-Match": read.headers["etag"]}).status_code == 304
    assert api.patch(where, json={"description": "x"}).json()["code"] == "precondition_required"
    stale = {"If-Match": '"7"'}
    assert api.patch(where, json={"description": "x"}, headers=stale).status_code == 412
    good = {"If-Match": read.headers["etag"]}
    changed = api.patch(where, json={"types": ["ModelTrained"], "state": "paused"}, headers=good)
    assert (changed.json()["types"], changed.json()["state"]) == (["ModelTrained"], "paused")
    assert api.delete(where).status_code == 428
    gone = api.delete(where, headers={"If-Match": changed.headers["etag"]})
    assert gone.status_code == 204
    assert api.get(where).status_code == 404
    assert api.get("webhooks").json()["items"] == []


def test_made_twice_with_one_key_it_is_one_with_one_secret(api, receiver):
    body, headers = {"url": receiver.url}, {"Idempotency-Key": "make-it-once"}
    first, again = (api.post("webhooks", json=body, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = api.post("webhooks", json={"url": receiver.url + "2"}, headers=headers)
    assert other.json()["code"] == "idempotency_key_reused"
    assert len(api.get("webhooks").json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "https://lab.example/", "types": ["ModelTraned"]}, "unknown_name"),
        ({"url": "https://lab.example/", "types": ["WebhookTested"]}, "unknown_name"),
        ({"url": "http://lab.example:99999/"}, "address_refused"),
    ],
)
def test_what_cannot_be_is_refused(api, body, code):
    answer = api.post("webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_without_a_key_in_the_environment_there_are_no_webhooks(resources, monkeypatch):
    from app.core.settings import Settings
    from app.resources import Resources

    monkeypatch.delenv("RETORT_WEBHOOK_KEYS")
    with calling(Resources(Settings())) as client:
        answer = client.post("webhooks", json={"url": "https://lab.example/"})
        assert (answer.status_code, answer.json()["code"]) == (503, "webhooks_unavailable")


def test_a_stranger_finds_nothing(resources, api, receiver):
    from app.access.keys import create_key
    from app.db.projects import ProjectRow

    hook = add(api, receiver.url)
    with resources.database.session() as session:
        project = ProjectRow(name="other")
        session.add(project)
        session.flush()
        key = create_key(session, name="stranger", project_id=project.id)
    headers = {"Authorization": f"Bearer {key.text}", "If-Match": "*"}
    where = f"webhooks/{hook['id']}"
    for method, path in (
        ("GET", where),
        ("DELETE", where),
        ("GET", f"{where}/deliveries"),
        ("POST", f"{where}/test"),
    ):
        assert api.request(method, path, headers=headers).status_code == 404


@pytest.mark.req("goal-15")
def test_the_secret_is_nowhere_but_in_the_answer(resources, api, receiver, options, caplog):
    caplog.set_level(logging.DEBUG)
    hook = add(api, receiver.url + "?token=hidden-in-the-address")
    new = api.post(f"webhooks/{hook['id']}/rotate", json={}).json()["secret"]
    receiver.statuses = [500, 410]
    job = submit(resources.database)
    request_cancel(resources.database, job.project_id, job.id, by="test")
    tell(resources.database, "a", 1)
    tell_and_publish(resources, "a", 1, "b", 2)
    deliver(resources, options)
    told = api.get("events").text + api.get(f"webhooks/{hook['id']}/deliveries").text
    with resources.database.cursor() as cursor:
        for table in ("audit_log", "events", "webhooks", "webhook_deliveries", "job_events"):
            cursor.execute(f"SELECT coalesce(string_agg(t::text, ' '), '') AS all FROM {table} t")
            text = cursor.fetchone()["all"]
            told += text if table != "webhooks" else ""
            for secret in (hook["secret"], new, KEY):
                assert secret not in text
                assert secret.removeprefix("whsec_") not in text
    told += caplog.text + repr(resources.settings)
    for secret in (hook["secret"], new, KEY, "hidden-in-the-address"):
        assert secret not in told
