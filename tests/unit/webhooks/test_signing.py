"""Signatures are those of Standard Webhooks: its own library, and its published example, say so."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from app.core.errors import Unavailable
from app.core.settings import Settings
from app.webhooks import signing
from app.webhooks.signing import KeyRing

ID = UUID("019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00")
KEY, OTHER = "k" * 32, "o" * 32


def ring(keys):
    return KeyRing(Settings(webhook_keys=keys))


@pytest.mark.req("goal-15")
def test_the_published_example():
    """https://github.com/standard-webhooks/standard-webhooks: its test vector."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    moment = datetime.fromtimestamp(1614265330, UTC)
    assert (
        signing.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", moment, body)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_standards_library_verifies_what_we_sign_with_either_secret():
    keys = ring(KEY)
    old, new = (keys.secret(ID, keys.newest, salt) for salt in ("a", "b"))
    headers = signing.headers([new, old], "m1", datetime.now(UTC), b'{"a": 1}')
    for secret in (old, new):
        assert Webhook(secret).verify('{"a": 1}', headers) == {"a": 1}
    third = keys.secret(ID, keys.newest, "c")
    with pytest.raises(Exception, match="signature"):
        Webhook(third).verify('{"a": 1}', headers)


def test_a_secret_is_of_its_webhook_salt_and_key():
    keys = ring(f"{KEY}, {OTHER}")
    other = ring(OTHER).newest
    assert keys.newest == ring(KEY).newest
    found = {
        keys.secret(ID, keys.newest, "a"),
        keys.secret(ID, keys.newest, "b"),
        keys.secret(ID, other, "a"),
        keys.secret(UUID(int=1), keys.newest, "a"),
    }
    assert len(found) == 4
    assert keys.secret(ID, other, "a") == ring(OTHER).secret(ID, other, "a")
    assert all(len(secret) == len("whsec_") + 44 for secret in found)


def test_without_its_key_nothing_is_made_up():
    with pytest.raises(Unavailable):
        _ = ring("").newest
    with pytest.raises(Unavailable):
        ring(OTHER).secret(ID, ring(KEY).newest, "a")


def test_a_short_key_is_refused_at_the_start():
    with pytest.raises(ValueError, match="32 characters"):
        Settings(webhook_keys="short")
