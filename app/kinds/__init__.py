"""The kinds of job: what each takes, which queue carries it, how its references are resolved.

A new kind is one file here (and a line in `table.py`), one service package, one module in `tasks/`.
"""

from app.kinds.base import JobKind
from app.kinds.submission import (
    ALONE,
    Asked,
    Fate,
    Submission,
    Submitted,
    check_alias,
    goes_together,
    replay_of,
    submit,
    submit_several,
)
from app.kinds.table import KINDS

__all__ = [
    "ALONE",
    "KINDS",
    "Asked",
    "Fate",
    "JobKind",
    "Submission",
    "Submitted",
    "check_alias",
    "goes_together",
    "replay_of",
    "submit",
    "submit_several",
]
