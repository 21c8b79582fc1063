"""Which jobs of a project are meant: for lists and for what is done to many at once."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Every field that is given must hold; none: every job of the project."""

    state: str | None = None
    kind: str | None = None
    #: any of these
    states: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    #: all of these labels, with these values
    labels: dict[str, str] | None = None
    parent_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    created_by: str | None = None
    #: in the client's reference, a label, an id, or the name, data set or model that it asks for
    q: str | None = None
    ids: tuple[UUID, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """What was asked for, for logs and audits."""
        return {
            name: value if isinstance(value, str | dict) else _plain(value)
            for name, value in self.given().items()
        }

    def given(self) -> dict[str, Any]:
        """The fields that are asked for."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def where(self, project_id: UUID) -> tuple[LiteralString, dict[str, Any]]:
        """A condition on `jobs` and its values. Only what is asked for is in it, so that the
        planner sees which index serves.
        """
        given = self.given()
        values = {**given, "project_id": project_id}
        if self.labels is not None:
            values["labels"] = Jsonb(self.labels)
        for name in ("ids", "states", "kinds"):
            if name in values:
                values[name] = list(values[name])
        if self.q is not None:
            values["q"] = like(self.q)
        conditions = ["project_id = %(project_id)s", *(_CONDITIONS[name] for name in given)]
        return " AND ".join(conditions), values


_CONDITIONS: dict[str, LiteralString] = {
    "state": "state = %(state)s",
    "kind": "kind = %(kind)s",
    "states": "state = ANY(%(states)s)",
    "kinds": "kind = ANY(%(kinds)s)",
    "labels": "labels @> %(labels)s",
    "parent_id": "parent_id = %(parent_id)s",
    "created_after": "created_at > %(created_after)s",
    "created_before": "created_at < %(created_before)s",
    "created_by": "created_by = %(created_by)s",
    "q": "concat_ws(' ', id, client_ref, correlation_id, labels, params->>'name',"
    " params->>'dataset', params->>'model') ILIKE %(q)s",
    "ids": "id = ANY(%(ids)s)",
}


def _plain(value: Any) -> Any:
    return [str(one) for one in value] if isinstance(value, tuple) else str(value)


def like(text: str) -> str:
    """The pattern of LIKE for anything that holds `text`, which stands for itself."""
    literal = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{literal}%"
