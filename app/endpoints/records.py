"""Endpoints in Postgres: made, changed, rolled back, archived; each change is one transaction.

Models are loaded and checked by hash before a revision that names them becomes active, and before
any transaction is open; what they resolved to then is what is stored.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Self
from uuid import UUID

from sqlalchemy import collate, select, text
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.errors import Conflict, InvalidInput, PreconditionFailed
from app.core.expected import Expected, check_expected
from app.db.database import Database, cursor_of
from app.db.endpoints import EndpointRevisionRow, EndpointRow
from app.endpoints.active import find_endpoint, serving, unknown
from app.endpoints.resolving import Found, ids_in, lock_models, resolve
from app.endpoints.revisions import (
    CanaryState,
    NewRevision,
    append,
    changed,
    earlier,
    find_number,
    restored,
)
from app.endpoints.spec import EndpointSpec, check_spec
from app.jobs.submit import IdempotencyKey, first_answer, remember_answer
from app.models.pointers import announce
from app.models.warming import Warm, warm
from app.resources import Resources

#: (model, whether its file is read anew): loads it, by hash; what it predicts from, in words.
#: Raises what is wrong with it
Check = Callable[[UUID, bool], str]


@dataclass(frozen=True, kw_only=True)
class Notices:
    """Who is told when an endpoint changes. Neither may raise."""

    #: gateways, that a name means something else now: after the commit
    announce: Callable[[], None]
    #: serving processes, that these versions will be asked for: before it
    warm: Warm

    @classmethod
    def of(cls, resources: Resources) -> Self:
        return cls(
            announce=partial(announce, resources.cache), warm=partial(warm, resources.publisher)
        )


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What somebody wants an endpoint to be; None leaves a field as it is."""

    spec: EndpointSpec
    by: str
    note: str = ""
    description: str | None = None
    labels: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Stored:
    endpoint: EndpointRow
    revision: EndpointRevisionRow
    #: an idempotency key was used before, and nothing was changed now
    replayed: bool = False


def get(session: Session, project_id: UUID, name: str) -> Stored:
    """Raises NotFound."""
    endpoint = find_endpoint(session, project_id, name)
    return Stored(endpoint=endpoint, revision=serving(session, endpoint))


def list_endpoints(
    session: Session, project_id: UUID, *, limit: int, after_name: str | None = None
) -> list[Stored]:
    """By name, without archived ones."""
    name = collate(EndpointRow.name, "C")
    query = (
        select(EndpointRow, EndpointRevisionRow)
        .join(EndpointRevisionRow, EndpointRevisionRow.endpoint_id == EndpointRow.id)
        .where(
            EndpointRow.project_id == project_id,
            EndpointRow.state == "active",
            EndpointRevisionRow.active,
        )
    )
    if after_name is not None:
        query = query.where(name > after_name)
    rows = session.execute(query.order_by(name).limit(limit))
    return [Stored(endpoint=endpoint, revision=revision) for endpoint, revision in rows]


def list_revisions(
    session: Session, endpoint: EndpointRow, *, limit: int, before_id: UUID | None = None
) -> Sequence[EndpointRevisionRow]:
    """Newest first."""
    query = select(EndpointRevisionRow).where(EndpointRevisionRow.endpoint_id == endpoint.id)
    if before_id is not None:
        query = query.where(EndpointRevisionRow.id < before_id)
    return session.scalars(query.order_by(EndpointRevisionRow.id.desc()).limit(limit)).all()


def put(
    database: Database,
    project_id: UUID,
    name: str,
    wanted: Wanted,
    notices: Notices,
    *,
    check: Check,
    expected: Expected = None,
    must_be_new: bool = False,
    once: IdempotencyKey | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> tuple[Stored, bool]:
    """The endpoint with a new active revision, and whether it is new. Raises what `check_spec`,
    `resolve` and the checks of models raise, Conflict when it exists and `must_be_new`,
    PreconditionRequired and PreconditionFailed, IdempotencyMismatch and IdempotencyInProgress.
    """
    check_spec(wanted.spec)
    with database.session() as session:
        if (before := _done_before(session, once)) is not None:
            return before, must_be_new
        _check_expected(_find(session, project_id, name), expected, must_be_new=must_be_new)
        found = resolve(session, project_id, wanted.spec)
        known = _models_of(session, project_id, name)
    # loaded while they are checked: nobody who asks then waits for them
    loading = notices.warm(found.model_ids)
    if not known.issuperset(found.model_ids):
        _check_models(found, known, check)
        loading.wait()
    with database.session() as session:
        if (before := _done_before(session, once)) is not None:  # meanwhile
            return before, must_be_new
        _one_at_a_time(session, project_id, name)
        endpoint = _find(session, project_id, name, lock=True)
        _check_expected(endpoint, expected, must_be_new=must_be_new)
        is_new = endpoint is None or endpoint.state == "archived"
        endpoint = _filled(session, endpoint, project_id, name, wanted)
        lock_models(session, found.model_ids)
        revision = _revise(session, endpoint, wanted, found, clock, is_new=is_new)
        _remember(session, once, endpoint)
    notices.announce()
    return Stored(endpoint=endpoint, revision=revision), is_new


def _check_models(found: Found, known: frozenset[UUID], check: Check) -> None:
    """Those that the endpoint takes up are read anew; all must predict from the same."""
    inputs = {
        ref: check(UUID(entry["model_id"]), UUID(entry["model_id"]) not in known)
        for ref, entry in found.resolved.items()
    }
    first, needs = next(iter(inputs.items()))
    for ref, other in inputs.items():
        if other != needs:
            raise InvalidInput(
                f"{ref} predicts from {other}, but {first} from {needs}", code="invalid_endpoint"
            )


def relabel(
    database: Database,
    project_id: UUID,
    name: str,
    *,
    expected: Expected,
    description: str | None,
    labels: dict[str, str] | None,
) -> Stored:
    """Without a new revision: nothing that it answers changes."""
    with database.session() as session:
        endpoint = locked(session, project_id, name, expected=expected)
        _describe(endpoint, description, labels)
        changed(endpoint)
        session.flush()
        session.refresh(endpoint)
        return Stored(endpoint=endpoint, revision=serving(session, endpoint))


def roll_back(
    database: Database,
    project_id: UUID,
    name: str,
    notices: Notices,
    *,
    by: str,
    note: str = "",
    to: int | None = None,
    expected: Expected = "any",
    once: IdempotencyKey | None = None,
) -> Stored:
    """One transaction: the revision before, or the one of this number, with the very versions and
    buckets that it had. They were checked when they became active; nothing is waited for now.

    Raises Conflict (`no_earlier_revision`), InvalidInput for a step of a canary or an archived
    model.
    """
    with database.session() as session:
        if (before := _done_before(session, once)) is not None:
            return before
        endpoint = locked(session, project_id, name, expected=expected)
        active = serving(session, endpoint)
        source = (
            earlier(session, endpoint, active) if to is None else find_number(session, endpoint, to)
        )
        if source.canary is not None:
            raise InvalidInput(
                f"revision {source.number} is a step of a canary",
                remedy="Name a revision without a canary, or start the canary again by an update.",
            )
        new = restored(source, by=by, note=note)
        model_ids = ids_in(source.resolved)
        lock_models(session, model_ids)
        notices.warm(model_ids)
        revision = append(session, endpoint, new)
        _remember(session, once, endpoint)
    notices.announce()
    return Stored(endpoint=endpoint, revision=revision)


def archive(
    database: Database, project_id: UUID, name: str, notices: Notices, *, expected: Expected
) -> None:
    """Hidden, and answering no more; its revisions stay, and a `put` of the name revives it."""
    with database.session() as session:
        endpoint = locked(session, project_id, name, expected=expected)
        endpoint.state = "archived"
        changed(endpoint)
    notices.announce()


def locked(session: Session, project_id: UUID, name: str, *, expected: Expected) -> EndpointRow:
    """The endpoint, which nobody else changes until this transaction ends."""
    endpoint = _find(session, project_id, name, lock=True)
    if endpoint is None or endpoint.state == "archived":
        raise unknown(session, project_id, name)
    _check_expected(endpoint, expected, must_be_new=False)
    return endpoint


def _find(
    session: Session, project_id: UUID, name: str, *, lock: bool = False
) -> EndpointRow | None:
    query = select(EndpointRow).where(
        EndpointRow.project_id == project_id, EndpointRow.name == name
    )
    return session.scalar(query.with_for_update() if lock else query)


def _done_before(session: Session, once: IdempotencyKey | None) -> Stored | None:
    """The endpoint as it is now, if a request with this key has changed it."""
    first = None if once is None else first_answer(cursor_of(session), once)
    if first is None:
        return None
    endpoint = session.get_one(EndpointRow, first)
    return Stored(endpoint=endpoint, revision=serving(session, endpoint), replayed=True)


def _remember(session: Session, once: IdempotencyKey | None, endpoint: EndpointRow) -> None:
    if once is not None:
        remember_answer(cursor_of(session), once, endpoint.id)


def _one_at_a_time(session: Session, project_id: UUID, name: str) -> None:
    """There may be no row to lock yet."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 2))"),
        {"name": f"{project_id}:{name}"},
    )


def _check_expected(row: EndpointRow | None, expected: Expected, *, must_be_new: bool) -> None:
    if row is None or row.state == "archived":
        if expected is not None:
            raise PreconditionFailed("there is no such endpoint, so it has no ETag to match")
        return
    if must_be_new:
        raise Conflict(
            f"there is an endpoint {row.name} already",
            code="endpoint_exists",
            remedy=f"Change it: PUT /api/v1/endpoints/{row.name} with its ETag in If-Match.",
        )
    check_expected(expected, row.version, f"the endpoint {row.name}")


def _models_of(session: Session, project_id: UUID, name: str) -> frozenset[UUID]:
    """What it serves already: checked when it was taken up, and again by whoever loads it."""
    endpoint = _find(session, project_id, name)
    if endpoint is None or endpoint.state == "archived":
        return frozenset()
    return frozenset(ids_in(serving(session, endpoint).resolved))


def _filled(
    session: Session, row: EndpointRow | None, project_id: UUID, name: str, wanted: Wanted
) -> EndpointRow:
    if row is None:
        row = EndpointRow(
            project_id=project_id,
            name=name,
            salt=secrets.token_hex(8),
            created_by=wanted.by,
            version=0,
        )
        session.add(row)
    row.state = "active"
    _describe(row, wanted.description, wanted.labels)
    session.flush()
    return row


def _describe(row: EndpointRow, description: str | None, labels: dict[str, str] | None) -> None:
    if description is not None:
        row.description = description
    if labels is not None:
        row.labels = labels


def _revise(
    session: Session,
    endpoint: EndpointRow,
    wanted: Wanted,
    found: Found,
    clock: Callable[[], datetime],
    *,
    is_new: bool,
) -> EndpointRevisionRow:
    """What is applied again and means the same is no new revision."""
    before = None if is_new else serving(session, endpoint)
    same = wanted.spec.model_dump(mode="json")
    if before is not None and (before.spec, before.resolved) == (same, found.resolved):
        changed(endpoint)
        session.flush()
        session.refresh(endpoint)
        return before
    new = NewRevision(
        spec=wanted.spec,
        resolved=found.resolved,
        reason="created" if is_new else "updated",
        by=wanted.by,
        note=wanted.note,
        canary=_canary(before, wanted.spec, clock()),
    )
    return append(session, endpoint, new)


def _canary(
    before: EndpointRevisionRow | None, spec: EndpointSpec, now: datetime
) -> CanaryState | None:
    """A canary that runs already and is asked for again goes on where it is; its step begins anew.
    One that fails goes back to what is served now, or to where a running one would.
    """
    if spec.canary is None:
        return None
    running = None if before is None else CanaryState.of(before)
    if before is not None and running is not None:
        if EndpointSpec.model_validate(before.spec).canary == spec.canary:
            return replace(running, since=now)
        return CanaryState(step=0, share=spec.canary.steps[0], since=now, base=running.base)
    base = None if before is None else before.number
    return CanaryState(step=0, share=spec.canary.steps[0], since=now, base=base)


def describe(row: EndpointRevisionRow) -> dict[str, Any]:
    """A revision as JSON values."""
    names = ("number", "active", "reason", "note", "created_at", "created_by", "restores")
    told = {name: getattr(row, name) for name in names}
    return told | {
        "spec": row.spec,
        "models": row.resolved,
        "canary": row.canary,
        "figures": row.figures,
        "shares": _shares(row.buckets),
    }


def _shares(buckets: Sequence[Sequence[Any]]) -> dict[str, float]:
    """Percent of the keys by live arm."""
    shares: dict[str, int] = {}
    for arm, first, behind in buckets:
        shares[arm] = shares.get(arm, 0) + behind - first
    return {arm: count / 100 for arm, count in shares.items()}
