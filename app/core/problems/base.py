"""What the catalogue says of a problem."""

from dataclasses import dataclass
from typing import Literal

#: what kind of trouble it is: who can mend it, and whether waiting helps
Category = Literal[
    "invalid",  # the request or the data is wrong
    "malformed",  # the body cannot be read at all
    "media_type",  # a body of a kind that the route does not take
    "unauthorized",  # who asks is not known
    "forbidden",  # who asks is known, and may not do this
    "missing",  # what is named does not exist
    "method",  # the route exists, the method does not
    "conflict",  # the state does not allow it now
    "unconditional",  # a change without If-Match, which the resource asks for
    "stale",  # the resource changed since the client read it
    "too_large",  # more bytes or rows than allowed
    "range",  # bytes are asked for that the file does not have
    "too_many",  # more requests than allowed
    "unavailable",  # a part does not answer; waiting helps
    "fault",  # a bug or a broken installation
    "job",  # how a job ended: in the job's `error`, no answer to a request
]


@dataclass(frozen=True, kw_only=True)
class ProblemType:
    """One code: what happened in general. The `detail` of an answer says what happened here."""

    code: str
    #: the same for every occurrence (RFC 9457)
    title: str
    category: Category
    #: why it happens
    cause: str
    #: what to do about it; an occurrence may say it more exactly
    remedy: str
    #: the same request may succeed later, unchanged
    retryable: bool = False
    #: what causes it, as one would type it
    example: str = ""
