"""Names of files, as they are stored and sent back in headers."""

import re

from app.core.masking import mask_keys

_MAX_NAME = 200


def safe_name(name: str | None) -> str:
    """The last part of a path, printable, at most 200 characters, without an API key."""
    last = mask_keys(re.split(r"[/\\]", name or "")[-1])
    return re.sub(r"[^\w.()+ -]", "_", last)[-_MAX_NAME:] or "upload"
