"""What a worker is asked before an alias is moved: the gateway neither hashes nor computes."""

import time
from typing import Any
from uuid import UUID

from app.registry.files import verify_files
from app.registry.gate import check_gate
from app.resources import Resources


def check_move(resources: Resources, payload: dict[str, Any]) -> dict[str, Any]:
    """`payload`: {"model_id", "holder_id", "policy" or None, "approver", "evaluation_id"}; the
    answer: {"files", "gate" or None, "milliseconds"}. Raises Conflict for altered files.
    """
    started = time.perf_counter()
    model_id = UUID(payload["model_id"])
    files = verify_files(resources, model_id)
    policy, gate = payload.get("policy"), None
    if policy is not None:
        gate = check_gate(
            resources,
            candidate_id=model_id,
            holder_id=_id(payload.get("holder_id")),
            policy=policy,
            approver=payload["approver"],
            evaluation_id=_id(payload.get("evaluation_id")),
        )
    spent = round(1000 * (time.perf_counter() - started), 1)
    return {"files": files, "gate": gate, "milliseconds": spent}


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
