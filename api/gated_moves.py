"""Before an alias moves: a worker checks the version, while serving processes load it."""

from typing import Any

from app.models.warming import warm
from app.registry.aliases import Plan
from app.registry.gate_table import refused
from app.registry.history import PROMOTED
from app.resources import Resources
from workers.interactive import ask


def checked(
    resources: Resources, plan: Plan, policy: dict[str, Any] | None, *, approver: str
) -> dict[str, Any] | None:
    """What the gate says; None where `policy` is. Raises Conflict for altered files and where it
    has to be passed and is not, Unavailable when no worker answers.

    A promotion waits until the version is loaded; a rollback does not: what is to be left may be
    wrong, and who was there before is mostly there still.
    """
    loading = warm(resources.publisher, [plan.model_id])
    seconds = resources.settings.interactive_timeout_seconds
    gate: dict[str, Any] | None = ask(resources, plan.question(policy, approver), seconds)["gate"]
    if gate is not None and not gate["passed"] and gate["policy"]["required"]:
        with resources.database.session() as session:
            raise refused(session, plan, gate)
    if plan.kind == PROMOTED:
        loading.wait()
    return gate
