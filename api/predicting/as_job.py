"""Inputs that are not to be waited for become a file and a `predict` job on it."""

import hashlib
from typing import Any

import orjson

from api.job_desk import accept
from app.access.principal import Principal
from app.files.uploaded import add_uploaded, store_content
from app.kinds import Submission, Submitted
from app.prediction.params import PredictParams
from app.resources import Resources
from workers.dispatch import Dispatcher

_FILE_NAME = "inputs.jsonl"


def submit_as_job(
    resources: Resources,
    caller: Principal,
    dispatcher: Dispatcher,
    model: str,
    inputs: list[dict[str, Any]],
) -> Submitted:
    """The job; its rows are the inputs, in order. Raises what submitting a predict job does."""
    content = b"\n".join(orjson.dumps(_row(number, given)) for number, given in enumerate(inputs))
    sha256 = hashlib.sha256(content).hexdigest()
    store_content(resources.storage, sha256, [content])
    with resources.database.session() as session:
        file = add_uploaded(
            session,
            project_id=caller.project_id,
            created_by=caller.name,
            name=_FILE_NAME,
            media_type="application/x-ndjson",
            size=len(content),
            sha256=sha256,
        )
        file_id = file.id
    columns = _columns(inputs)
    params = PredictParams(model=model, file_id=file_id, format="jsonl", **columns)
    submission = Submission(kind="predict", params=params)
    return accept(resources, caller, dispatcher, submission, None)


def _row(number: int, given: dict[str, Any]) -> dict[str, Any]:
    """`features` first: a column of theirs called like ours keeps its name."""
    row = {"__id": given.get("id") or str(number), **(given.get("features") or {})}
    return row if given.get("smiles") is None else {"__smiles": given["smiles"], **row}


def _columns(inputs: list[dict[str, Any]]) -> dict[str, str]:
    named = {"id_column": "__id"}
    return named | ({"smiles_column": "__smiles"} if inputs[0].get("smiles") is not None else {})
