"""What is said of names and versions: labels, a description, a semantic version."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, InvalidInput
from app.datasets.lineage import merge_labels
from app.db.models import ModelVersionRow
from app.db.registry import RegistryNameRow

#: https://semver.org/spec/v2.0.0.html, its own suggested expression
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)


def change_version(session: Session, row: ModelVersionRow, change: Mapping[str, Any]) -> None:
    """`change`: labels (merged, null removes), description, semver (null takes it away); what is
    not in it stays. Raises InvalidInput, Conflict for a semver that another version has.
    """
    if "labels" in change:
        row.labels = merge_labels(row.labels, change["labels"])
    if change.get("description") is not None:
        row.description = change["description"]
    if "semver" in change:
        row.semver = _free_semver(session, row, change["semver"])
    session.flush()


def change_name(
    session: Session, project_id: UUID, name: str, change: Mapping[str, Any]
) -> RegistryNameRow:
    """The same of a name: labels and description. The caller has seen that the name exists."""
    row = session.get(RegistryNameRow, (project_id, name), with_for_update=True)
    if row is None:
        row = RegistryNameRow(project_id=project_id, name=name, description="", labels={})
        session.add(row)
    if "labels" in change:
        row.labels = merge_labels(row.labels, change["labels"])
    if change.get("description") is not None:
        row.description = change["description"]
    row.changed_at = func.clock_timestamp()
    session.flush()
    return row


def _free_semver(session: Session, row: ModelVersionRow, semver: str | None) -> str | None:
    if semver is None:
        return None
    if _SEMVER.fullmatch(semver) is None:
        raise InvalidInput(
            f"{semver!r} is no semantic version",
            code="invalid_semver",
        )
    taken = session.scalar(
        select(ModelVersionRow.number).where(
            ModelVersionRow.project_id == row.project_id,
            ModelVersionRow.name == row.name,
            ModelVersionRow.semver == semver,
            ModelVersionRow.id != row.id,
        )
    )
    if taken is not None:
        raise Conflict(
            f"{row.name}:{taken} is {semver} already",
            code="semver_taken",
        )
    return semver
