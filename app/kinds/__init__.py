"""The kinds of job: what each takes, which queue carries it, how its references are resolved.

A new kind is one file here (and a line in `table.py`), one service package, one module in `tasks/`.
"""

from app.kinds.base import JobKind
from app.kinds.submission import Submission, Submitted, submit
from app.kinds.table import KINDS

__all__ = ["KINDS", "JobKind", "Submission", "Submitted", "submit"]
