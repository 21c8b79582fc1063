"""Data sets: create from a file, look at, download what was refused."""

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.dependencies import Caller, WithDispatcher, WithResources
from api.job_desk import accept
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.files import blocks
from api.routes.jobs import IdempotencyKey
from api.schemas.dataset import (
    DatasetAnswer,
    DatasetPage,
    DatasetPatch,
    DiffAnswer,
    dataset_json,
)
from api.schemas.problem import PROBLEMS
from app.access import audit
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import Conflict, NotFound
from app.datasets.lineage import lineage_of, merge_labels
from app.datasets.params import IngestParams
from app.datasets.records import resolve_dataset, version_before
from app.db.datasets import DatasetRow, SplitRow
from app.db.jobs import JobRow
from app.kinds import Submission
from app.pages.policy import PAGE_HEADERS
from app.resources import Resources
from workers.interactive import ask

router = APIRouter(route_class=Guarded, prefix="/datasets", tags=["datasets"], responses=PROBLEMS)


@router.post(
    "", status_code=202, response_model=DatasetAnswer, dependencies=[needs(Right.DATA_WRITE)]
)
def create(
    request: IngestParams,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start to read a file into the next version of a data set; `Location` is the ingest job."""
    submission = Submission(kind="ingest", params=request)
    job = accept(resources, caller, dispatcher, submission, idempotency_key).job
    with resources.database.session() as session:
        row = session.get_one(DatasetRow, UUID(job.params["dataset_id"]))
        body = dataset_json(row, job.state)
    return json_response(body, status=202, headers={"Location": f"/api/v1/jobs/{job.id}"})


@router.get("", response_model=DatasetPage, dependencies=[needs(Right.READ)])
def list_datasets(
    caller: Caller,
    resources: WithResources,
    page: WithPage,
    name: Annotated[str | None, Query(max_length=63)] = None,
    kind: Literal["molecule", "table"] | None = None,
) -> Response:
    """Newest first; `name`: all versions of one data set."""
    query = select(DatasetRow).where(DatasetRow.project_id == caller.project_id)
    if name is not None:
        query = query.where(DatasetRow.name == name)
    if kind is not None:
        query = query.where(DatasetRow.kind == kind)
    if page.before_id is not None:
        query = query.where(DatasetRow.id < page.before_id)
    with resources.database.session() as session:
        rows = session.scalars(query.order_by(DatasetRow.id.desc()).limit(page.rows)).all()
        return page.answer(rows, lambda row: _shown(session, row))


@router.get("/{ref}", response_model=DatasetAnswer, dependencies=[needs(Right.READ)])
def get_dataset(ref: str, caller: Caller, resources: WithResources) -> Response:
    with resources.database.session() as session:
        row = resolve_dataset(session, caller.project_id, ref)
        return json_response(_shown(session, row))


@router.patch("/{ref}", response_model=DatasetAnswer, dependencies=[needs(Right.DATA_WRITE)])
def relabel(ref: str, request: DatasetPatch, caller: Caller, resources: WithResources) -> Response:
    """Labels are all that may change of a data set."""
    with resources.database.session() as session:
        found = resolve_dataset(session, caller.project_id, ref)
        row = session.get_one(DatasetRow, found.id, with_for_update=True)
        before = {"labels": dict(row.labels)}
        row.labels = merge_labels(row.labels, request.labels)
        after = {"labels": row.labels}
        resource = f"datasets/{row.name}:{row.number}"
        audit.record(session, caller, "datasets.change", resource, before=before, after=after)
        session.flush()
        return json_response(_shown(session, row))


@router.get("/{ref}/lineage", dependencies=[needs(Right.READ)])
def lineage(ref: str, caller: Caller, resources: WithResources) -> Response:
    """Where it came from and what came of it: file, ingest, versions, splits, models, aliases,
    predict jobs.
    """
    with resources.database.session() as session:
        row = resolve_dataset(session, caller.project_id, ref)
        return json_response(lineage_of(session, row))


@router.get("/{ref}/diff", response_model=DiffAnswer, dependencies=[needs(Right.READ)])
def diff(
    ref: str,
    caller: Caller,
    resources: WithResources,
    against: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """What changed since `against` (left out: the version before): rows added, removed, changed,
    by structure (tables: by identifier, else whole rows), and columns.
    """
    after = _ready(resources, caller, ref)
    if against is None:
        with resources.database.session() as session:
            against = version_before(session, after)
    before = _ready(resources, caller, against)
    answer = ask(
        resources,
        {"question": "dataset_diff", "dataset": str(after.id), "against": str(before.id)},
        resources.settings.interactive_timeout_seconds,
    )
    return json_response(answer)


@router.get("/{ref}/report", dependencies=[needs(Right.READ)])
def report(ref: str, caller: Caller, resources: WithResources) -> Response:
    """Row accounting with reasons, columns, targets, duplicates and conflicts."""
    return json_response(_ready(resources, caller, ref).report)


@router.get("/{ref}/report.html", response_class=HTMLResponse, dependencies=[needs(Right.READ)])
def report_page(ref: str, caller: Caller, resources: WithResources) -> StreamingResponse:
    """The report as one page to look at and to send on: drawings, charts, no script."""
    row = _ready(resources, caller, ref)
    key = f"{_folder(row)}/report.html"
    if not resources.storage.exists(key):
        raise NotFound(
            f"{row.name}:{row.number} has no report page: an earlier release read it",
            remedy="Its figures: GET /api/v1/datasets/{ref}/report. Ingest the file again for one.",
        )
    return StreamingResponse(
        blocks(resources.storage.open(key)),
        media_type="text/html; charset=utf-8",
        headers=PAGE_HEADERS,
    )


@router.get("/{ref}/rejected", response_class=StreamingResponse, dependencies=[needs(Right.READ)])
def rejected(ref: str, caller: Caller, resources: WithResources) -> StreamingResponse:
    """Every refused row: number, value, reason, and its cells as the file has them (CSV)."""
    row = _ready(resources, caller, ref)
    headers = {"Content-Disposition": f'attachment; filename="{row.name}-rejected.csv"'}
    stream = resources.storage.open(f"{_folder(row)}/rejected.csv")
    return StreamingResponse(blocks(stream), media_type="text/csv", headers=headers)


@router.get("/{ref}/rows", dependencies=[needs(Right.READ)])
def rows(
    ref: str,
    caller: Caller,
    resources: WithResources,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Rows of the cleaned table."""
    import pyarrow.parquet as pq

    path = resources.storage.local_path(f"{_folder(_ready(resources, caller, ref))}/clean.parquet")
    items: list[dict[str, Any]] = []
    skipped = 0
    for batch in pq.ParquetFile(path).iter_batches(batch_size=1000):
        if skipped + len(batch) > offset:
            start = max(0, offset - skipped)
            items += batch.slice(start, limit - len(items)).to_pylist()
        skipped += len(batch)
        if len(items) >= limit:
            break
    return json_response({"items": items})


@router.get("/{ref}/splits", dependencies=[needs(Right.READ)])
def splits(ref: str, caller: Caller, resources: WithResources) -> Response:
    """Splits that were made of it, with their hashes and how often their test rows were used."""
    with resources.database.session() as session:
        row = resolve_dataset(session, caller.project_id, ref)
        found = session.scalars(
            select(SplitRow).where(SplitRow.dataset_id == row.id).order_by(SplitRow.created_at)
        ).all()
        return json_response({"items": [_split(entry) for entry in found]})


@router.get("/{ref}/splits/{split_id}", dependencies=[needs(Right.READ)])
def split(ref: str, split_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """One of them with its rows: `train`, `validation` and `test`, or of folds `repeats`, each with
    the `train` and `test` of its folds. A row is its place in the cleaned table, from 0, as
    `offset` of `/rows` counts.
    """
    with resources.database.session() as session:
        dataset = resolve_dataset(session, caller.project_id, ref)
        row = session.get(SplitRow, split_id)
        if row is None or row.dataset_id != dataset.id:
            raise NotFound(
                f"{dataset.name}:{dataset.number} has no split {split_id}",
                remedy="List them: GET /api/v1/datasets/{ref}/splits.",
            )
        stored = orjson.loads(resources.storage.read(row.storage_key))
        return json_response(stored | _split(row))


def _split(row: SplitRow) -> dict[str, Any]:
    names = ("id", "splitter", "params", "seed", "hash", "sizes", "test_uses", "created_at")
    return {name: getattr(row, name) for name in names}


def _shown(session: Session, row: DatasetRow) -> dict[str, Any]:
    job = session.get(JobRow, row.job_id) if row.job_id is not None else None
    return dataset_json(row, job.state if job is not None else None)


def _ready(resources: Resources, caller: Principal, ref: str) -> DatasetRow:
    with resources.database.session() as session:
        row = resolve_dataset(session, caller.project_id, ref)
    if row.manifest_key is None:
        raise Conflict(
            f"the data set {row.name}:{row.number} is not ready",
            code="dataset_not_ready",
            remedy=f"Follow its ingest job {row.job_id}.",
        )
    return row


def _folder(row: DatasetRow) -> str:
    return (row.manifest_key or "").rpartition("/")[0]
