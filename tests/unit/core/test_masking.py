"""Secrets do not get into logs, and everything else does."""

import logging
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.masking import mask_secrets, masker, secret_values
from app.core.settings import Settings, get_settings

#: the machine may be busy with something else
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEY = "rt_1a2b3c4d_" + "x-Y_9" * 8 + "abc"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"key {KEY} was refused", KEY[12:]),
        (f"Authorization: Bearer {KEY}", KEY[12:]),
        (f"b'{KEY}'", KEY[12:]),
        ("postgresql://retort:hunter2@db:5432/retort", "hunter2"),
        ("redis://:hunter2@cache:6379/0 is down", "hunter2"),
        ("amqp://u:p@ss:w@host/vhost", "p@ss:w"),
        ("authorization: bearer eyJhbGciOi.J9.abc-_d", "eyJhbGciOi"),
        ("Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
        ("host=db password=hunter2 user=x", "hunter2"),
        ("{'password': 'hunter2', 'user': 'x'}", "hunter2"),
        ('{"api_key":"hunter2"}', "hunter2"),
        ("AWS_SECRET_ACCESS_KEY=hunter2/abc+d", "hunter2"),
        ("s3_secret=hunter2;", "hunter2"),
        ("PGPASSWORD=hunter2 psql", "hunter2"),
        ("key AKIAIOSFODNN7EXAMPLE here", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
@pytest.mark.req("goal-12")
def test_no_secret_is_left(text, secret):
    masked = mask_secrets(text)
    assert secret not in masked
    assert "***" in masked


@pytest.mark.parametrize(
    "text",
    [
        "job 019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00 (train) attempt 1 starts",
        "http://127.0.0.1:8000/api/v1/jobs",
        "https://example.org:443/a:b@c/d",
        "ratio 3:4, e-mail ana@example.org, C1=CC=CC=C1",
        "[nH]1ccnc1 CC(=O)Oc1ccccc1C(=O)O",
        "the bearer of news",
        "tokens: 512",
    ],
)
def test_what_is_no_secret_stays(text):
    assert mask_secrets(text) == text


PASSWORD = st.text(
    st.characters(codec="ascii", exclude_categories=("Cc", "Zs"), exclude_characters="/\\\"'"),
    min_size=4,
    max_size=40,
).filter(lambda text: not text.startswith("*"))


@PATIENT
@given(PASSWORD, st.text(max_size=20), st.text(max_size=20))
def test_any_password_in_a_url_is_masked(password, before, after):
    text = f"{before} postgresql://retort:{password}@db.example:5432/retort {after}"
    assert f":{password}@" not in mask_secrets(text)


@PATIENT
@given(PASSWORD, st.text(max_size=20), st.text(max_size=20))
def test_values_of_secret_settings_are_masked_wherever_they_stand(password, before, after):
    settings = Settings(
        database_url=f"postgresql://retort:{quote(password, safe='')}@db/retort",
        s3_secret=password,
        s3_key="thekey",
    )
    mask = masker(settings)
    masked = mask(f"{before}|{password}|thekey|{after}")
    assert f"|{password}|" not in masked
    assert "thekey" not in masked
    assert password in secret_values(settings)


@PATIENT
@given(st.text(max_size=300))
def test_masking_twice_changes_nothing_more(text):
    once = mask_secrets(text, ("hunter2",))
    assert mask_secrets(once, ("hunter2",)) == once


@pytest.mark.req("goal-12")
def test_the_log_of_a_process_masks_too(monkeypatch, capsys):
    from workers.logs import MaskingFormatter

    monkeypatch.setenv("RETORT_S3_SECRET", "hunter2hunter2")
    get_settings.cache_clear()
    try:
        form = MaskingFormatter()
    finally:
        get_settings.cache_clear()
    error = RuntimeError("postgresql://u:topsecret@db/x with hunter2hunter2")
    trace = (RuntimeError, error, None)
    text = form.format(logging.LogRecord("x", 40, __file__, 1, f"key {KEY}", None, trace))
    assert "RuntimeError" in text
    for secret in (KEY[12:], "topsecret", "hunter2"):
        assert secret not in text
