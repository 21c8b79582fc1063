"""What a project, and a key of it, may use. Nothing is limited until somebody says so."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db.database import Cursor


@dataclass(frozen=True, kw_only=True)
class Limits:
    """None: as much as it likes."""

    #: jobs that wait, are queued or retrying
    queued_jobs: int | None = None
    #: of attempts of jobs on GPU queues, since the first of the month (UTC)
    gpu_hours_per_month: float | None = None
    #: of all files, also those that jobs have made
    stored_bytes: int | None = None

    @classmethod
    def from_json(cls, quota: dict[str, Any] | None) -> "Limits":
        given = quota or {}
        return cls(**{name: given.get(name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A project (`caller` is None), or what one caller of it has made."""

    project_id: UUID
    caller: str | None
    limits: Limits

    @property
    def shown(self) -> str:
        return "the project" if self.caller is None else self.caller


def holders_of(cursor: Cursor, project_id: UUID, caller: str) -> tuple[Holder, Holder]:
    """The project and the caller, as `created_by` names it (key:plate-reader)."""
    cursor.execute(
        "SELECT quota, (SELECT quota FROM api_keys WHERE project_id = p.id AND 'key:' || name = %s"
        " AND revoked_at IS NULL ORDER BY created_at DESC LIMIT 1) AS of_key"
        " FROM projects AS p WHERE id = %s",
        (caller, project_id),
    )
    row = cursor.fetchone() or {"quota": None, "of_key": None}
    return (
        Holder(project_id=project_id, caller=None, limits=Limits.from_json(row["quota"])),
        Holder(project_id=project_id, caller=caller, limits=Limits.from_json(row["of_key"])),
    )
