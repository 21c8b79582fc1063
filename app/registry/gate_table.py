"""A failed gate, told: every check with what was found, and what to do about it."""

from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldError
from app.db.models import ModelVersionRow
from app.registry.aliases import Plan


def refused(session: Session, plan: Plan, gate: dict[str, Any]) -> Conflict:
    """`errors` is the table: `passed` or `failed` for each check, in order."""
    model = session.get_one(ModelVersionRow, plan.model_id)
    holder = session.get(ModelVersionRow, plan.holder_id) if plan.holder_id else None
    failed = [check for check in gate["checks"] if not check["passed"]]
    names = ", ".join(dict.fromkeys(check["check"] for check in failed))
    return Conflict(
        f"{model.name}:{model.number} does not pass the gate of {plan.name}@{plan.alias} "
        f"({names}): " + "; ".join(check["detail"] for check in failed),
        code="gate_failed",
        remedy=_remedy(gate, failed, model, holder),
        errors=[
            FieldError(
                pointer=f"/checks/{check['check']}",
                code="passed" if check["passed"] else "failed",
                detail=check["detail"],
            )
            for check in gate["checks"]
        ],
    )


def _remedy(
    gate: dict[str, Any],
    failed: list[dict[str, Any]],
    model: ModelVersionRow,
    holder: ModelVersionRow | None,
) -> str:
    names = {check["check"] for check in failed}
    dataset = gate["policy"]["evaluation_dataset"]
    on = f" --data {dataset}" if dataset else ""
    refs = [f"{row.name}:{row.number}" for row in (model, holder) if row is not None]
    if names & {"evaluated", "same_rows", "latency"}:
        commands = " and ".join(f"`retort evaluate {ref}{on}`" for ref in refs)
        return f"Run {commands}, then promote again."
    if "four_eyes" in names:
        return "Let somebody else promote it, with a key of their own."
    if "unseen_rows" in names:
        return (
            "Evaluate it on a data set that it has not learned from, and name that in the policy."
        )
    return (
        "Train a better version; or change the policy (PUT /api/v1/registry/"
        f"{model.name}/policies/{gate['policy']['alias']}), if the difference does not matter."
    )
