"""What an endpoint means now, read whole from Postgres; and which endpoints a model holds up."""

from collections.abc import Iterator, Mapping
from itertools import chain, islice, zip_longest
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound
from app.core.names import listed, shown
from app.db.endpoints import EndpointRevisionRow, EndpointRow
from app.endpoints.buckets import table_of
from app.endpoints.resolving import entry_of, ids_in
from app.endpoints.revisions import CanaryState, find_active, find_number
from app.endpoints.routing import ActiveRevision, Arm, Mode, salt_of
from app.endpoints.spec import EndpointSpec
from app.models.records import DEFAULT_ALIAS, pointed_lately, resolve_model
from app.models.reference import parse_model_ref


def load_active(session: Session, project_id: UUID, name: str) -> ActiveRevision:
    """Raises NotFound, and Conflict (`endpoint_broken`) when a route follows an alias that is no
    more.
    """
    endpoint = find_endpoint(session, project_id, name)
    return active_of(session, endpoint, serving(session, endpoint))


def find_endpoint(session: Session, project_id: UUID, name: str) -> EndpointRow:
    """One that is not archived. Raises NotFound."""
    row = session.scalar(
        select(EndpointRow).where(
            EndpointRow.project_id == project_id,
            EndpointRow.name == name,
            EndpointRow.state == "active",
        )
    )
    if row is None:
        raise unknown(session, project_id, name)
    return row


def unknown(session: Session, project_id: UUID, name: str) -> NotFound:
    names = session.scalars(
        select(EndpointRow.name).where(
            EndpointRow.project_id == project_id, EndpointRow.state == "active"
        )
    ).all()
    remedy = f"Known endpoints: {listed(name, names, most=5)}." if names else None
    return NotFound(f"there is no endpoint {shown(name)}", remedy=remedy)


def serving(session: Session, endpoint: EndpointRow) -> EndpointRevisionRow:
    row = find_active(session, endpoint.id)
    if row is None:
        raise RuntimeError(f"the endpoint {endpoint.id} has no active revision")
    return row


def active_of(session: Session, endpoint: EndpointRow, row: EndpointRevisionRow) -> ActiveRevision:
    """As `load_active`, of a revision."""
    spec = EndpointSpec.model_validate(row.spec)
    versions = {
        text: row.resolved[text] if pinned else _followed(session, endpoint, text)
        for _, text, pinned in spec.references()
    }
    live = [route.model for route in spec.live]
    if row.canary is not None and spec.canary is not None:
        live.append(spec.canary.model)
    return ActiveRevision(
        endpoint_id=endpoint.id,
        project_id=endpoint.project_id,
        name=endpoint.name,
        number=row.number,
        salt=salt_of(endpoint.id, endpoint.salt),
        sticky=spec.sticky,
        arms=tuple(_arm(text, versions, "live") for text in live),
        table=table_of(row.buckets, live),
        shadows=tuple(
            _arm(route.model, versions, "shadow", route.sample or 1.0) for route in spec.shadows
        ),
        fallback=None if spec.fallback is None else _arm(spec.fallback.model, versions, "fallback"),
        fallback_when=frozenset(() if spec.fallback is None else spec.fallback.when),
        history=spec.history,
        cache=spec.cache,
        deadline_ms=spec.deadline_ms,
        min_replicas=spec.min_replicas,
    )


def _arm(text: str, versions: Mapping[str, Any], mode: Mode, sample: float = 1.0) -> Arm:
    found = versions[text]
    return Arm(
        ref=text,
        model_id=UUID(str(found["model_id"])),
        name=found["name"],
        number=found["number"],
        mode=mode,
        sample=sample,
    )


def _followed(session: Session, endpoint: EndpointRow, text: str) -> dict[str, Any]:
    try:
        return entry_of(resolve_model(session, endpoint.project_id, text))
    except NotFound as error:
        raise Conflict(
            f"the endpoint {endpoint.name} follows {text}, which is no more",
            code="endpoint_broken",
            remedy=f"Point {text} to a version again, or roll the endpoint back.",
        ) from error


def endpoints_using(session: Session, model_id: UUID) -> list[str]:
    """Names of endpoints that serve this version, or would go back to it when a canary fails; it
    may not be archived while there are any. Lock the model's row before asking.
    """
    found = []
    for endpoint, row in _all_active(session):
        rows = [row]
        state = CanaryState.of(row)
        if state is not None and state.base is not None:
            rows.append(find_number(session, endpoint, state.base))
        if any(model_id in _served(session, endpoint, revision) for revision in rows):
            found.append(endpoint.name)
    return sorted(found)


def endpoints_following(session: Session, project_id: UUID, name: str, alias: str) -> list[str]:
    """Names of endpoints with a route that follows `name@alias`: it may not be deleted."""
    found = []
    for endpoint, row in _all_active(session):
        if endpoint.project_id != project_id:
            continue
        for _, text, pinned in EndpointSpec.model_validate(row.spec).references():
            reference = parse_model_ref(text)
            if not pinned and (reference.name, reference.alias or DEFAULT_ALIAS) == (name, alias):
                found.append(endpoint.name)
    return sorted(set(found))


def likely_asked(session: Session, limit: int) -> list[UUID]:
    """At most `limit` versions that will be asked for, of all projects, most likely first: by turns
    what active endpoints serve and what aliases point to, the last changed of each first.
    """
    pairs = zip_longest(_served_lately(session, limit), pointed_lately(session, limit))
    found = (model_id for model_id in chain.from_iterable(pairs) if model_id is not None)
    return list(dict.fromkeys(found))[:limit]


def _served_lately(session: Session, limit: int) -> list[UUID]:
    served = (_served(session, endpoint, row) for endpoint, row in _all_active(session))
    # one after another: no more endpoints are read than are needed
    return list(islice(dict.fromkeys(chain.from_iterable(served)), limit))


def _all_active(session: Session) -> Iterator[tuple[EndpointRow, EndpointRevisionRow]]:
    query = (
        select(EndpointRow, EndpointRevisionRow)
        .join(EndpointRevisionRow, EndpointRevisionRow.endpoint_id == EndpointRow.id)
        .where(EndpointRow.state == "active", EndpointRevisionRow.active)
        .order_by(EndpointRow.updated_at.desc(), EndpointRow.id)
    )
    yield from session.execute(query)


def _served(session: Session, endpoint: EndpointRow, row: EndpointRevisionRow) -> tuple[UUID, ...]:
    try:
        return active_of(session, endpoint, row).model_ids()
    except Conflict:  # it follows an alias that is no more; what it pins is still in use
        return tuple(ids_in(row.resolved))
