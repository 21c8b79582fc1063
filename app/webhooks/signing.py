"""Signatures of Standard Webhooks 1.0, and where the secrets come from.

No secret is stored. Each is derived from a key of the environment and the webhook's own salt:
HMAC-SHA256(key, "retort webhook" | id | salt). Who reads the database, or a backup of it, can sign
nothing. `RETORT_WEBHOOK_KEYS` may hold several keys: the first makes new secrets, the others are
still known for those that they made, so that the key itself can be changed.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from uuid import UUID

from app.core.errors import Unavailable
from app.core.settings import Settings

PREFIX = "whsec_"


class KeyRing:
    """The keys of the environment, by a fingerprint."""

    def __init__(self, settings: Settings) -> None:
        texts = [text.strip() for text in settings.webhook_keys.split(",")]
        self._keys = {_fingerprint(text): text.encode() for text in texts if text}
        self._newest = next(iter(self._keys), None)

    @property
    def newest(self) -> str:
        """The fingerprint of the one that makes new secrets. Raises Unavailable."""
        if self._newest is None:
            raise _unavailable("this installation has no key for the secrets of webhooks")
        return self._newest

    def secret(self, webhook_id: UUID, key_id: str, salt: str) -> str:
        """As its owner keeps it: whsec_<base64>. Raises Unavailable for a key that is gone."""
        if key_id not in self._keys:
            raise _unavailable("the key that the webhook's secret was made with is not here")
        message = f"retort webhook\n{webhook_id}\n{salt}".encode()
        derived = hmac.digest(self._keys[key_id], message, "sha256")
        return PREFIX + base64.b64encode(derived).decode()


def new_salt() -> str:
    return secrets.token_hex(16)


def signature(secret: str, message_id: str, moment: datetime, body: bytes) -> str:
    """`v1,<base64>`"""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{int(moment.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def headers(owned: list[str], message_id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """`owned`: the secrets that are valid now; each signs."""
    signed = " ".join(signature(secret, message_id, moment, body) for secret in owned)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signed,
    }


def _fingerprint(text: str) -> str:
    return hashlib.sha256(b"retort webhook key\n" + text.encode()).hexdigest()[:12]


def _unavailable(detail: str) -> Unavailable:
    return Unavailable(detail, code="webhooks_unavailable")
