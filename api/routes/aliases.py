"""Aliases of a name: promote through a gate, roll back, take away, look back."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from sqlalchemy.orm import Session

from api.dependencies import Caller, WithResources
from api.gated_moves import checked
from api.once import REPLAYED
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.routes.model_states import DEPENDANTS, require_own_version
from api.schemas.problem import PROBLEMS, ProblemDocument
from api.schemas.registry import (
    AliasRequest,
    AliasRollback,
    HistoryPage,
    MovedAnswer,
    PolicyAnswer,
    PolicyRequest,
    history_json,
    moved_json,
)
from app.access import audit
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import Conflict, FieldError, NotFound
from app.db.registry import AliasPolicyRow
from app.endpoints.active import endpoints_following
from app.models.pointers import announce
from app.models.records import list_models
from app.models.reference import ARCHIVED, alias_word
from app.registry.aliases import (
    Moved,
    Plan,
    etag_of,
    move,
    moved_already,
    plan_promotion,
    plan_rollback,
    remove,
)
from app.registry.archive import archive, resolve_any
from app.registry.history import list_history
from app.registry.policies import get_policy, policy_json, protection, set_policy
from app.resources import Resources

_RESPONSES: dict[int | str, dict[str, object]] = {
    409: {"model": ProblemDocument, "description": "The gate failed, or the state does not allow"},
    412: {"model": ProblemDocument, "description": "The alias has changed since it was read"},
}
router = APIRouter(
    route_class=Guarded,
    prefix="/registry/{name}",
    tags=["registry"],
    responses=PROBLEMS | _RESPONSES,
)

_SLUG = r"^[a-z0-9][a-z0-9._-]{0,62}$"
Name = Annotated[str, Path(pattern=_SLUG)]
#: champion, challenger, staging or your own; `production` is the champion
Alias = Annotated[str, Path(pattern=_SLUG)]
IfMatch = Annotated[str | None, Header(max_length=200, description="the alias's etag, or *")]


@router.put(
    "/aliases/{alias}", response_model=MovedAnswer, dependencies=[needs(Right.ALIASES_FREE)]
)
def promote(
    name: Name,
    alias: Alias,
    request: AliasRequest,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
) -> Response:
    """Point the alias to a version, when its files are unaltered and the alias's policy allows.
    @champion, and an alias whose policy is required, is pointed by approvers.

    The word `archived` is no alias: the version is archived instead.
    """
    if alias == ARCHIVED:
        caller.require(Right.ARCHIVE_OWN)
        return _archive(resources, caller, f"{name}:{request.version}")

    def plan(session: Session) -> Plan:
        return plan_promotion(
            session,
            caller.project_id,
            name,
            request.version,
            alias,
            evaluation_id=request.evaluation_id,
        )

    _require_alias(resources, caller, name, alias)
    moved = _moved(resources, caller, plan, request.note, if_match)
    return json_response(moved_json(moved), headers={"ETag": etag_of(moved.alias)})


@router.post(
    "/aliases/{alias}/rollback",
    response_model=MovedAnswer,
    dependencies=[needs(Right.ALIASES_FREE)],
)
def rollback(
    name: Name,
    alias: Alias,
    request: AliasRollback,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Back to the version that bore the alias before, without a gate; once more goes further back.
    Its files are checked first. The same Idempotency-Key goes back once.
    """
    _require_alias(resources, caller, name, alias)
    if idempotency_key is not None:
        with resources.database.session() as session:
            done = moved_already(
                session, caller.project_id, name, alias, by=caller.name, key=idempotency_key
            )
        if done is not None:
            return json_response(moved_json(done), headers=REPLAYED)

    def plan(session: Session) -> Plan:
        return plan_rollback(session, caller.project_id, name, alias, number=request.version)

    moved = _moved(resources, caller, plan, request.note, if_match, idempotency_key)
    return json_response(moved_json(moved), headers={"ETag": etag_of(moved.alias)})


def _require_alias(resources: Resources, caller: Principal, name: str, alias: str) -> None:
    """Raises Forbidden for an alias that is protected."""
    if caller.may(Right.ALIASES_PROTECTED):
        return
    with resources.database.session() as session:
        why = protection(session, caller.project_id, name, alias)
    if why is not None:
        caller.require(Right.ALIASES_PROTECTED, instead=f" ({why})")


def _moved(
    resources: Resources,
    caller: Principal,
    plan_with: Callable[[Session], Plan],
    note: str,
    if_match: str | None,
    key: str | None = None,
) -> Moved:
    """Plan, let a worker check, move. The approver is the caller, never a field (F-10)."""
    with resources.database.session() as session:
        plan = plan_with(session)
    gate = checked(resources, plan, plan.policy, approver=caller.name)
    with resources.database.session() as session:
        moved = move(
            session,
            plan,
            by=caller.name,
            note=note,
            if_match=if_match,
            key=key,
            gate=gate,
        )
        audit.record(
            session,
            caller,
            f"registry.aliases.{plan.kind}",
            f"registry/{plan.name}/aliases/{plan.alias}",
            before={"version": moved.before},
            after={"version": moved.number, "note": note},
            gate=None if gate is None else bool(gate["passed"]),
        )
    announce(resources.cache)
    return moved


def _archive(resources: Resources, caller: Principal, ref: str) -> Response:
    with resources.database.session() as session:
        row = resolve_any(session, caller.project_id, ref)
        require_own_version(session, caller, row)
        archive(session, row, by=caller.name, finders=DEPENDANTS)
        audit.record(session, caller, "models.archive", f"models/{row.name}:{row.number}")
        session.refresh(row)
    announce(resources.cache)
    body = {"alias": ARCHIVED, "version": row.number, "note": "", "before": None, "gate": None}
    return json_response(
        {**body, "changed_at": row.archived_at, "changed_by": row.archived_by, "etag": ""}
    )


@router.delete("/aliases/{alias}", status_code=204, dependencies=[needs(Right.ALIASES_FREE)])
def take_away(
    name: Name,
    alias: Alias,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
) -> Response:
    """The versions stay; that it was there stays in the history. 409 names the endpoints that
    follow it.
    """
    _require_alias(resources, caller, name, alias)
    with resources.database.session() as session:
        _unfollowed(session, caller, name, alias)
        remove(session, caller.project_id, name, alias, by=caller.name, if_match=if_match)
    announce(resources.cache)
    return Response(status_code=204)


def _unfollowed(session: Session, caller: Principal, name: str, alias: str) -> None:
    """Raises Conflict when a route of an endpoint follows the alias: it would answer nothing."""
    word = alias_word(alias)
    if found := endpoints_following(session, caller.project_id, name, word):
        raise Conflict(
            f"{name}@{word} is followed by the endpoints {', '.join(found[:20])}",
            code="model_in_use",
            errors=[
                FieldError(pointer=one, code="depends", detail=f"endpoint {one}") for one in found
            ],
        )


@router.get("/history", response_model=HistoryPage, dependencies=[needs(Right.READ)])
def history(
    name: Name,
    caller: Caller,
    resources: WithResources,
    page: WithPage,
    alias: Annotated[str | None, Query(pattern=_SLUG)] = None,
) -> Response:
    """Every move of the name's aliases, newest first: who, when, from, to, why, and the gate."""
    with resources.database.session() as session:
        if not list_models(session, caller.project_id, name=name, limit=1):
            raise NotFound(f"there is no model {name!r}")
        rows = list_history(
            session,
            caller.project_id,
            name,
            alias=None if alias is None else alias_word(alias),
            limit=page.rows,
            before_seq=page.before_number,
        )
    return page.answer(rows, history_json, place="seq")


@router.put(
    "/policies/{alias}", response_model=PolicyAnswer, dependencies=[needs(Right.POLICIES_WRITE)]
)
def put_policy(
    name: Name, alias: Alias, request: PolicyRequest, caller: Caller, resources: WithResources
) -> Response:
    """What a version must fulfil before the alias points to it; takes the place of the old one."""
    with resources.database.session() as session:
        known = session.get(AliasPolicyRow, (caller.project_id, name, alias_word(alias)))
        before = None if known is None else policy_json(session, known)
        row = set_policy(
            session, caller.project_id, name, alias, by=caller.name, **request.model_dump()
        )
        after = policy_json(session, row)
        resource = f"registry/{name}/policies/{row.alias}"
        audit.record(session, caller, "registry.policies.put", resource, before=before, after=after)
        return json_response(after)


@router.get("/policies/{alias}", response_model=PolicyAnswer, dependencies=[needs(Right.READ)])
def show_policy(name: Name, alias: Alias, caller: Caller, resources: WithResources) -> Response:
    with resources.database.session() as session:
        row = get_policy(session, caller.project_id, name, alias)
        return json_response(policy_json(session, row))


@router.delete("/policies/{alias}", status_code=204, dependencies=[needs(Right.POLICIES_WRITE)])
def drop_policy(name: Name, alias: Alias, caller: Caller, resources: WithResources) -> Response:
    """Any version may bear the alias again."""
    with resources.database.session() as session:
        row = get_policy(session, caller.project_id, name, alias)
        resource, before = f"registry/{name}/policies/{row.alias}", policy_json(session, row)
        session.delete(row)
        audit.record(session, caller, "registry.policies.delete", resource, before=before)
    return Response(status_code=204)
