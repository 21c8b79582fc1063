"""If-Match and If-None-Match on what has a version: 412 and 428 are decided where it is locked."""

import re
from typing import Annotated

from fastapi import Header

from app.core.errors import PreconditionFailed
from app.core.expected import Expected

IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=200)]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=200)]

_ETAG = re.compile(r'"(?P<version>[0-9]{1,15})"')


def etag_of_version(version: int) -> str:
    return f'"{version}"'


def expected(if_match: str | None) -> Expected:
    """The version that the caller has read. Raises PreconditionFailed for an ETag of nothing."""
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return "any"
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise PreconditionFailed("If-Match is not an ETag of this resource")
    return int(match["version"])
