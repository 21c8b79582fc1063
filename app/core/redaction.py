"""JSON that may be kept for ever: what is named like a secret, or looks like one, is left out."""

import re
from typing import Any

import orjson

from app.core.masking import MASK, mask_secrets

_SECRET_NAME = re.compile(
    r"(?i)(secret|passw|passphrase|token|credential|authorization|private_?key|api_?key|access_?key"
    r"|signing_?key|^key$)"
)
#: what is longer is told by its size: a log is no second copy of the data
MAX_BYTES = 16_384


def redacted(value: Any) -> Any:
    """Without secrets: values under telling names, and keys, bearer tokens, passwords in texts."""
    if isinstance(value, dict):
        return {
            name: MASK if _SECRET_NAME.search(str(name)) and inner is not None else redacted(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    return mask_secrets(value) if isinstance(value, str) else value


def redacted_body(body: bytes) -> Any:
    """Of a JSON request; None when there is none, its size when it is long."""
    if not body:
        return None
    if len(body) > MAX_BYTES:
        return {"bytes": len(body)}
    try:
        return redacted(orjson.loads(body))
    except orjson.JSONDecodeError:
        return {"bytes": len(body)}
