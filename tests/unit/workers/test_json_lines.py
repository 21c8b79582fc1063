"""One JSON object a line, with the ids of what is being done, and no secret."""

import json
import logging
import threading

import pytest

from app.core.ids import new_id
from app.core.log_fields import bound, bound_in_process, log_fields
from app.core.settings import get_settings
from workers.json_lines import JsonFormatter, OnlyJobs

KEY = "rt_1a2b3c4d_" + "x-Y_9" * 8 + "abc"
JOB = str(new_id())


@pytest.fixture
def form(monkeypatch):
    monkeypatch.setenv("RETORT_S3_SECRET", 'hunter"2\\hunter')
    get_settings.cache_clear()
    yield JsonFormatter()
    get_settings.cache_clear()


def record(message="hello", *, level=logging.INFO, error=None, **extra):
    exc_info = error and (type(error), error, None)
    made = logging.LogRecord("some.logger", level, __file__, 1, message, None, exc_info)
    made.__dict__.update(extra)
    made.created = 1_764_366_301.0429
    return made


def said(form, *args, **fields):
    (line,) = form.format(record(*args, **fields)).splitlines()
    return json.loads(line)


def test_a_line_says_when_where_and_what(form):
    found = said(form, "one\ntwo \ud800 é")
    assert found["ts"] == "2025-11-28T21:45:01.042Z"
    assert (found["level"], found["logger"]) == ("INFO", "some.logger")
    assert found["message"] == "one\ntwo \ud800 é"
    assert found["host"]
    assert found["pid"]
    assert "job_id" not in found
    assert "exception" not in found


def test_an_error_is_one_line_too(form):
    found = said(form, error=ValueError("first\nsecond"))
    assert found["exception"].splitlines()[-2:] == ["ValueError: first", "second"]


def test_no_secret_is_left_wherever_it_stands(form):
    error = RuntimeError(f'postgresql://u:topsecret@db/x with hunter"2\\hunter and {KEY}')
    with bound(request_id=KEY, correlation_id="Bearer abcdefgh"):
        text = form.format(record(f"key {KEY}", error=error))
    for secret in (KEY[12:], "topsecret", "hunter", "abcdefgh"):
        assert secret not in text


def test_lines_carry_what_is_bound_and_only_while_it_is(form):
    with bound(job_id=JOB, attempt=None), bound(chunk=3):
        found = said(form)
    assert (found["job_id"], found["chunk"]) == (JOB, 3)
    assert "attempt" not in found
    assert "job_id" not in said(form)


def test_threads_of_a_process_that_does_one_thing_carry_it_too(form):
    found = {}

    def look(name):
        thread = threading.Thread(target=lambda: found.update({name: log_fields()}))
        thread.start()
        thread.join()

    with bound(job_id=JOB):
        look("context")
    with bound_in_process(job_id=JOB, attempt=2):
        look("process")
    look("after")
    assert "job_id" not in found["context"]
    assert found["process"]["attempt"] == 2
    assert "job_id" not in found["after"]


@pytest.mark.parametrize(
    ("told", "ids"),
    [
        ({"id": f"{JOB}.2", "args": ""}, {"job_id": JOB, "attempt": 2}),
        ({"id": f"{JOB}.2.7", "args": ""}, {"job_id": JOB, "attempt": 2, "chunk": 7}),
        ({"id": "c0ffee", "args": f"('{JOB}', 7)"}, {"job_id": JOB}),
        ({"id": "c0ffee", "args": "()"}, {}),
        ("no mapping", {}),
    ],
)
def test_lines_of_celery_about_a_job_name_it(form, told, ids):
    found = said(form, data=told)
    assert {name: found[name] for name in ("job_id", "attempt", "chunk") if name in found} == ids
    assert OnlyJobs().filter(record(data=told)) == bool(ids)
    assert OnlyJobs().filter(record(data=told, level=logging.WARNING))
