"""Who is asking."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Principal:
    """An authenticated caller; every row that it reads or makes belongs to its project."""

    project_id: UUID
    #: shown as `created_by`, e.g. `key:embedded`
    name: str
    key_id: UUID | None = None
    scopes: tuple[str, ...] = ()
