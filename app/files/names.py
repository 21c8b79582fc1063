"""Names of files, as they are stored and sent back in headers."""

import re

_MAX_NAME = 200


def safe_name(name: str | None) -> str:
    """The last part of a path, printable, at most 200 characters."""
    last = re.split(r"[/\\]", name or "")[-1]
    return re.sub(r"[^\w.()+ -]", "_", last)[-_MAX_NAME:] or "upload"
