"""What a file would be read as, before an ingest: a warm worker looks at its first rows."""

from uuid import UUID

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.dataset import PreviewAnswer
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.datasets.params import ReadParams
from app.files.uploaded import owned_file
from workers.interactive import ask

router = APIRouter(route_class=Guarded, prefix="/files", tags=["files"], responses=PROBLEMS)


@router.post("/{file_id}/preview", response_model=PreviewAnswer, dependencies=[needs(Right.READ)])
def preview(
    file_id: UUID, caller: Caller, resources: WithResources, request: ReadParams | None = None
) -> Response:
    """Format, kind and columns as ingest would guess them from the first 500 rows, with examples;
    overrides in the body are checked and honoured.
    """
    with resources.database.session() as session:
        row = owned_file(session, caller.project_id, file_id)
    options = (request or ReadParams()).model_dump(mode="json", exclude_defaults=True)
    answer = ask(
        resources,
        {"question": "preview", "key": row.storage_key, "name": row.name, "options": options},
        resources.settings.interactive_timeout_seconds,
    )
    return json_response(answer)
