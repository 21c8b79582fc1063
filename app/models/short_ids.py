"""Ids as the ML worker showed them: `model-1f0c9a2b7d3e` for a UUID that ends so.

The last group of a UUIDv7 is random (48 bits); its beginning is the time, alike for all of a day.
"""

import re
from typing import TypeVar
from uuid import UUID

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, InvalidInput, NotFound
from app.db.base import Identified

RowT = TypeVar("RowT", bound=Identified)

_DIGITS = 12
_FEWEST = 6
_SHORT = re.compile(rf"[0-9a-f]{{{_FEWEST},32}}")


def short_id(kind: str, id_: UUID) -> str:
    return f"{kind}-{id_.hex[-_DIGITS:]}"


def find_by_short_id(
    session: Session, cls: type[RowT], project_id: UUID, kind: str, text: str
) -> RowT:
    """By the full id or by its last 6 to 32 digits, with or without `<kind>-` before it.

    Raises InvalidInput for no id at all, NotFound, Conflict (`ambiguous_id`) when two end so.
    """
    digits = text.strip().lower().removeprefix(f"{kind}-").replace("-", "")
    if not _SHORT.fullmatch(digits):
        raise InvalidInput(
            f"{text[:100]!r} is no id of a {kind}",
            remedy=f"Write it as it was answered, e.g. {kind}-1f0c9a2b7d3e, or the full id.",
        )
    plain = func.replace(cast(cls.id, String), "-", "")
    found = session.scalars(
        select(cls)
        .where(cls.project_id == project_id, func.right(plain, len(digits)) == digits)
        .order_by(cls.id)
        .limit(2)
    ).all()
    if not found:
        raise NotFound(f"there is no {kind} {text[:100]!r}")
    if len(found) > 1:
        raise Conflict(
            f"more than one {kind} ends with {digits!r}",
            code="ambiguous_id",
            remedy="Write more of the id, or the full one.",
        )
    return found[0]
