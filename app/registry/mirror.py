"""Our registry shown in MLflow's: looked for what changed, one way, after the fact.

No route waits for MLflow. A name whose fingerprint in Postgres differs from the one that was shown
last is shown again; so an outage, a lost worker or a change by an earlier release is made good by
the next round. Once a day every name is compared anew, whatever somebody did over there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.base import DEFAULT_PROJECT_ID
from app.db.models import AliasRow, ModelVersionRow
from app.db.projects import ProjectRow
from app.db.registry import RegistryNameRow
from app.resources import Resources
from app.tracking.mirrored import Mirror, MirroredName, MirroredVersion
from app.tracking.mlflow_registry import MlflowRegistry

#: a version is shown after its run was tracked, or given up (see app.training.track)
_MAX_ATTEMPTS = 50
_CHANGED = text("""
WITH versions AS (
    SELECT project_id, name, string_agg(concat_ws('|', id, number, state, labels, description,
               semver, mlflow_run_id), E'\\n' ORDER BY number) AS said,
           bool_or(tracked_at IS NULL AND track_attempts < :most) AS untracked
    FROM models GROUP BY project_id, name
), pointed AS (
    SELECT project_id, name, string_agg(alias || '=' || model_id, ',' ORDER BY alias) AS said
    FROM aliases GROUP BY project_id, name
), now AS (
    SELECT v.project_id, v.name, v.untracked, n.mirrored, n.mirrored_at,
           md5(concat_ws('#', v.said, p.said, coalesce(n.labels, '{}'),
               coalesce(n.description, ''))) AS fingerprint
    FROM versions v LEFT JOIN pointed p USING (project_id, name)
    LEFT JOIN registry_names n USING (project_id, name)
)
SELECT project_id, name, fingerprint FROM now
WHERE NOT untracked
  AND (mirrored IS DISTINCT FROM fingerprint OR mirrored_at < now() - interval '1 day')
ORDER BY mirrored_at NULLS FIRST, name LIMIT :limit
""")
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('mirror', 4))")
_SHOWN = text("""
INSERT INTO registry_names (project_id, name, mirrored, mirrored_at)
VALUES (:project_id, :name, :fingerprint, now())
ON CONFLICT (project_id, name) DO UPDATE SET mirrored = :fingerprint, mirrored_at = now()
""")


@dataclass(frozen=True, kw_only=True)
class Changed:
    project_id: UUID
    name: str
    #: of what is to be shown; what changes meanwhile has another, and comes again
    fingerprint: str


def mirror_changes(resources: Resources, *, limit: int = 20, mirror: Mirror | None = None) -> int:
    """Show up to `limit` names that changed; how many. Raises Retryable for an outage. Of several
    control workers one does it, the others find nothing to do.
    """
    uri = resources.settings.mlflow_tracking_uri
    if mirror is None and not uri:
        return 0
    shown = 0
    with resources.database.session() as session:
        if not session.scalar(_LOCK):
            return 0
        to = mirror or MlflowRegistry(uri)
        for changed in _changed(session, limit):
            to.show(_mirrored(session, changed))
            # a transaction of its own: what was shown stays known when the next name fails
            with resources.database.session() as other:
                other.execute(_SHOWN, vars(changed))
            shown += 1
    return shown


def _changed(session: Session, limit: int) -> list[Changed]:
    rows = session.execute(_CHANGED, {"limit": limit, "most": _MAX_ATTEMPTS})
    return [Changed(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def _mirrored(session: Session, changed: Changed) -> MirroredName:
    same_name = {"project_id": changed.project_id, "name": changed.name}
    rows = session.scalars(
        select(ModelVersionRow).filter_by(**same_name).order_by(ModelVersionRow.number)
    ).all()
    numbers = {row.id: row.number for row in rows}
    said = session.get(RegistryNameRow, tuple(same_name.values()))
    aliases = session.scalars(select(AliasRow).filter_by(**same_name))
    return MirroredName(
        name=_shown_name(session, changed),
        description=said.description if said else "",
        tags=_texts(said.labels) if said else {},
        versions=_versions(rows),
        aliases={row.alias: numbers[row.model_id] for row in aliases},
    )


def _versions(rows: Sequence[ModelVersionRow]) -> tuple[MirroredVersion, ...]:
    return tuple(
        MirroredVersion(
            model_id=str(row.id),
            number=row.number,
            run_id=row.mlflow_run_id,
            description=row.description,
            tags=_texts(row.labels)
            | {"retort.version": str(row.number), "retort.state": row.state}
            | ({"retort.semver": row.semver} if row.semver else {}),
        )
        for row in rows
    )


def _shown_name(session: Session, changed: Changed) -> str:
    """MLflow knows no projects: names of others than the first carry theirs."""
    if changed.project_id == DEFAULT_PROJECT_ID:
        return changed.name
    return f"{session.get_one(ProjectRow, changed.project_id).name}.{changed.name}"


def _texts(labels: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in labels.items()}
