"""For receivers: whether a webhook really comes from Retort (Standard Webhooks 1.0).

Needs nothing but Python; any library of https://www.standardwebhooks.com does the same.
"""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

#: a message that is older, or newer, is refused: somebody may have kept it to send it again (s)
TOLERANCE_SECONDS = 300


class BadSignature(ValueError):
    """The message is not from who has the secret, or not of now: answer 400 and do nothing."""


def verify(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str,
    *,
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> dict[str, Any]:
    """The event (CloudEvents 1.0). `headers` in any case, `body` exactly as it came, `secret` as
    it was shown: whsec_... Raises BadSignature (a ValueError).

    An event may come twice: drop what has an `id` that was handled already.
    """
    given = {name.lower(): value for name, value in headers.items()}
    raw = body.encode() if isinstance(body, str) else bytes(body)
    message_id, stamp, signatures = (
        given.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    if not message_id or not stamp.isdecimal() or not signatures:
        raise BadSignature("there are no headers webhook-id, webhook-timestamp, webhook-signature")
    wanted = _signature(secret, f"{message_id}.{stamp}.".encode() + raw)
    versions = (entry.partition(",") for entry in signatures.split(" "))
    found = [base_64 for version, _, base_64 in versions if version == "v1"]
    if not any(hmac.compare_digest(one.encode(), wanted) for one in found):
        raise BadSignature("no signature is of this secret and body")
    age = (time.time() if now is None else now) - int(stamp)
    if abs(age) > tolerance:
        raise BadSignature(f"the signature is of {age:.0f} s ago: more than {tolerance:g} s")
    event: dict[str, Any] = json.loads(raw)
    return event


def _signature(secret: str, signed: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise BadSignature("the secret is not of the form whsec_<base64>") from None
    return base64.b64encode(hmac.digest(key, signed, "sha256"))
