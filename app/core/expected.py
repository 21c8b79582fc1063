"""If-Match, once it is a version: a change is made to what its author has seen."""

from typing import Literal

from app.core.errors import PreconditionFailed, PreconditionRequired

#: the version that a caller has seen; "any": whichever there is; None: he has said nothing
Expected = int | Literal["any"] | None


def check_expected(expected: Expected, version: int, what: str) -> None:
    """`what` as in "the endpoint sol". Raises PreconditionRequired, PreconditionFailed."""
    if expected is None:
        raise PreconditionRequired(f"{what} is changed with If-Match only")
    if expected not in ("any", version):
        raise PreconditionFailed(f"{what} has changed since it was read")
