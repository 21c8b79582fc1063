"""Who may only add and remove shadows of an endpoint: nobody's answer may change by it."""

from uuid import UUID

from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.access.rights import Right
from app.endpoints.records import Stored
from app.endpoints.spec import EndpointSpec
from app.models.records import resolve_model


def check_shadows_only(
    session: Session, caller: Principal, stored: Stored, wanted: EndpointSpec
) -> None:
    """Raises Forbidden unless `wanted` differs from what is there in its shadows alone, or the
    caller may change endpoints.
    """
    if caller.may(Right.ENDPOINTS_WRITE):
        return
    before = EndpointSpec.model_validate(stored.revision.spec)
    if stored.revision.canary is not None:
        why = " (a canary runs, which a new revision would end)"
    elif _answering(before) != _answering(wanted):
        why = " (more than its shadows would change)"
    elif moved := _moved(session, caller.project_id, stored, wanted):
        why = f" ({moved} means another version by now, and a new revision would take that)"
    else:
        return
    caller.require(Right.ENDPOINTS_WRITE, instead=why)


def _answering(spec: EndpointSpec) -> dict[str, object]:
    """All but the shadows."""
    return {**spec.model_dump(exclude={"routes"}), "live": spec.live}


def _moved(session: Session, project_id: UUID, stored: Stored, wanted: EndpointSpec) -> str | None:
    """A reference that answers and is pinned, and that would be pinned to another version."""
    refs = [route.model for route in wanted.live if route.pin]
    refs += [wanted.fallback.model] if wanted.fallback is not None else []
    known = stored.revision.resolved
    for ref in refs:
        if str(resolve_model(session, project_id, ref).id) != known[ref]["model_id"]:
            return ref
    return None
