"""The alias that a training asks for: given at once where nothing protects it."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.errors import RetortError
from app.db.models import ModelVersionRow
from app.registry.aliases import move, plan_promotion


def point_after_training(
    session: Session,
    model: ModelVersionRow,
    alias: str,
    *,
    by: str,
    warm: Callable[[Sequence[UUID]], None],
) -> dict[str, Any]:
    """What the job's result says of it: {"alias", "set", "why"?}. `warm`: sees to it that serving
    processes are told once the version is committed.

    An alias with a policy is not moved, because a model that was just trained has passed no gate
    (F-14): the version is kept, and a person promotes it.
    """
    try:
        plan = plan_promotion(session, model.project_id, model.name, model.number, alias)
        if plan.policy is not None and plan.policy["required"]:
            why = (
                f"{model.name}@{plan.alias} has a policy: promote {model.name}:{model.number} "
                "through its gate"
            )
            return {"alias": plan.alias, "set": False, "why": why}
        move(session, plan, by=by, note="trained")
        warm([model.id])
    except RetortError as error:
        # the model is made and is kept, whatever is wrong with the alias
        return {"alias": alias, "set": False, "why": error.detail}
    return {"alias": plan.alias, "set": True}
