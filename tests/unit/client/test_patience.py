"""When a request is sent again, after how long, and when it is given up."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from retort import AsyncRetort, ConnectionFailed, Retort, TimedOut, TooManyRequests, Unavailable
from retort.patience import backoff, retry_after, worth_another_try

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BUSY = {"code": "unavailable", "detail": "busy"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        (format_datetime(NOW + timedelta(seconds=7), usegmt=True), 7.0),
        (format_datetime(NOW - timedelta(seconds=7), usegmt=True), 0.0),
        ("", None),
        ("soon", None),
    ],
)
def test_retry_after_in_both_forms(text, seconds):
    assert retry_after({"Retry-After": text}, NOW) == seconds


def test_backoff_grows_with_jitter_to_a_bound():
    delays = [[backoff(attempt) for _ in range(200)] for attempt in (1, 4, 20)]
    for found, most in zip(delays, (0.5, 4.0, 20.0), strict=True):
        assert all(most / 2 <= delay <= most for delay in found)
        assert len({round(delay, 6) for delay in found}) > 100, "clients must not march in step"


@pytest.mark.parametrize(
    ("status", "problem", "again"),
    [
        (503, {}, True),
        (429, {}, True),
        (502, {}, True),
        (409, {"retryable": True}, True),
        (409, {"retryable": False}, False),
        (500, {"retryable": False}, False),
        (422, {}, False),
    ],
)
def test_what_is_worth_another_try(status, problem, again):
    assert worth_another_try(status, problem) is again


def serving(*answers):
    asked, left = [], list(answers)

    def handle(request):
        asked.append(request)
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.MockTransport(handle), asked


def test_a_server_that_wants_to_be_left_alone_is_left_alone():
    away = httpx.Response(503, json=BUSY, headers={"Retry-After": "3600"})
    transport, asked = serving(away)
    client = Retort("http://x", "k", transport=transport)
    with pytest.raises(Unavailable) as refused:
        client.about()
    assert len(asked) == 1
    assert refused.value.retry_after == 3600.0


def test_a_call_ends_with_its_total_time():
    away = httpx.Response(429, json=BUSY, headers={"Retry-After": "0.3"})
    transport, asked = serving(away)
    client = Retort("http://x", "k", transport=transport, total_timeout=1.0, attempts=100)
    started = time.monotonic()
    with pytest.raises(TimedOut, match="busy"):
        client.about()
    assert time.monotonic() - started < 5
    assert 2 <= len(asked) <= 5
    with pytest.raises(TooManyRequests):
        client.with_options(total_timeout=None, attempts=2).about()


def test_options_of_one_call_leave_the_client_as_it_is():
    transport, asked = serving(httpx.ConnectError("away"))
    client = Retort("http://x", "k", transport=transport)
    client.transport.sleep = lambda _: None
    with pytest.raises(ConnectionFailed):
        client.with_options(attempts=2).about()
    assert len(asked) == 2
    with pytest.raises(ConnectionFailed):
        client.about()
    assert len(asked) == 2 + 6


@pytest.mark.req("goal-4")
def test_the_client_that_awaits_keeps_its_key_over_retries():
    busy = httpx.Response(503, json=BUSY, headers={"Retry-After": "0"})
    transport, asked = serving(busy, httpx.ConnectError("x"), httpx.Response(202, json={"id": "j"}))

    async def submit():
        async with AsyncRetort("http://x", "k", transport=transport) as client:
            return await client.train("esol", target="y")

    assert asyncio.run(submit())["id"] == "j"
    assert len(asked) == 3
    assert len({request.headers["idempotency-key"] for request in asked}) == 1
