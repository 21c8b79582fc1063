"""The catalogue of everything that can go wrong: one declaration for each problem code.

A new code is one `ProblemType` in the file of its field, here; `RetortError` takes title, remedy
and `retryable` from it, `/problems/{code}` and docs/problems.md are made from it. A test walks the
code: what is used but not declared fails, and what is declared but not used. Nothing here knows
about HTTP: `api/errors.py` maps each `Category` to a status.
"""

from app.core.problems import (
    access,
    data,
    endpoints,
    exporting,
    jobs,
    learning,
    registry,
    requests,
    schedules,
    webhooks,
)
from app.core.problems.base import Category, ProblemType
from app.core.problems.fields import FIELD_CODES, WARNING_CODES

__all__ = ["CATALOGUE", "FIELD_CODES", "WARNING_CODES", "Category", "ProblemType", "problem_type"]

#: by field, in the order of the pages
GROUPS: dict[str, tuple[ProblemType, ...]] = {
    "Requests": requests.PROBLEMS,
    "Keys": access.PROBLEMS,
    "Files and data sets": data.PROBLEMS,
    "Training, tuning and models": learning.PROBLEMS,
    "Endpoints": endpoints.PROBLEMS,
    "Names and aliases of models": registry.PROBLEMS,
    "Export and import of models": exporting.PROBLEMS,
    "Schedules": schedules.PROBLEMS,
    "Webhooks": webhooks.PROBLEMS,
    "Jobs and the cluster": jobs.PROBLEMS,
}
#: by code
CATALOGUE: dict[str, ProblemType] = {
    entry.code: entry for entries in GROUPS.values() for entry in entries
}


def problem_type(code: str, default: str = "internal_error") -> ProblemType:
    """The declaration of `code`; that of `default` for a code that nobody declared, so that an
    error about an error cannot happen.
    """
    return CATALOGUE.get(code) or CATALOGUE.get(default) or CATALOGUE["internal_error"]
