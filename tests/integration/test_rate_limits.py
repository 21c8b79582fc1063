"""Rates of requests on a real Redis: refused before anything is done, never for want of Redis."""

import time

import pytest
from sqlalchemy import update

from app.core.settings import get_settings
from app.db.projects import ApiKeyRow
from app.resources import get_resources
from tests.support.gateway import calling
from tests.support.roles import bearer

pytestmark = pytest.mark.req("goal-21")


@pytest.fixture
def limited(retort_environment, monkeypatch):
    """A gateway that lets a key send 3 requests at once, and one every 50 seconds."""
    monkeypatch.setenv("RETORT_RATE_PER_SECOND", "0.02")
    monkeypatch.setenv("RETORT_RATE_BURST", "3")
    get_settings.cache_clear()
    resources = get_resources()
    with calling(resources) as api:
        api.resources = resources
        yield api
    resources.database.dispose()


def own_rate(resources, key_id, **quota):
    with resources.database.session() as session:
        session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(quota=quota))


def test_what_is_too_much_is_refused_with_the_time_to_wait(limited):
    answers = [limited.get("jobs") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["ratelimit"] for answer in answers[:3]] == [
        '"key";r=2;t=50',
        '"key";r=1;t=100',
        '"key";r=0;t=150',
    ]
    refused = answers[3]
    assert refused.headers["ratelimit-policy"] == '"key";q=3;w=150'
    assert 45 <= int(refused.headers["retry-after"]) <= 50
    assert refused.json()["code"] == "rate_limited"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-request-id"]


def test_what_is_refused_is_not_done(limited):
    for _ in range(3):
        limited.get("jobs")
    answer = limited.post("files", files={"file": ("a.csv", b"smiles\nC\n")})
    assert answer.status_code == 429
    with limited.resources.database.cursor() as cursor:
        cursor.execute("SELECT count(*) AS n FROM files")
        assert cursor.fetchone()["n"] == 0


def test_short_cuts_are_counted_too(limited):
    known = limited.get("jobs")
    missing = [limited.get("jobs/0196b7e4-0000-7000-8000-000000000000") for _ in range(3)]
    assert known.status_code == 200
    assert [answer.status_code for answer in missing] == [404, 404, 429]
    assert missing[0].headers["ratelimit"] == '"key";r=1;t=100'


def test_tokens_come_back(limited):
    own_rate(limited.resources, limited.key_id, requests_per_second=0.5, burst=1)
    assert limited.get("jobs").status_code == 200
    assert limited.get("jobs").status_code == 429
    time.sleep(2.2)
    assert limited.get("jobs").status_code == 200


def test_a_key_s_own_rate_lifts_the_limit(limited):
    own_rate(limited.resources, limited.key_id, requests_per_second=0)
    answers = [limited.get("jobs") for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers


def test_a_rate_that_is_set_over_http_holds_at_once(api, resources):
    api.headers.update(bearer(resources, "admin", "boss"))
    assert "ratelimit" not in api.get("jobs").headers
    said = {"key": "boss", "requests_per_second": 500, "burst": 1000}
    assert api.put("admin/quotas", json=said).status_code == 200
    assert api.get("jobs").headers["ratelimit-policy"] == '"key";q=1000;w=2'


def test_without_a_limit_redis_is_not_asked(api):
    limiter = api.gateway.state.limiter
    assert api.get("jobs").status_code == 200
    assert api.get("jobs").status_code == 200
    assert limiter._redis is None


def test_without_redis_everybody_is_let_through_and_it_is_said(limited, caplog):
    limiter = limited.gateway.state.limiter
    limiter._settings = limiter._settings.model_copy(update={"cache_url": "redis://127.0.0.1:1/0"})
    answers = [limited.get("jobs") for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers
    assert sum("requests are not counted" in record.message for record in caplog.records) == 1
    told = limited.get("http://retort/metrics").text
    assert "retort_rate_limit_outages_total 1.0" in told
