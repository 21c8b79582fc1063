"""Whether a model can be served: its files are what was stored, and it loads."""

from typing import Any
from uuid import UUID

from app.prediction.loading import load_model, model_cache
from app.resources import Resources


def check_model(resources: Resources, payload: dict[str, Any]) -> dict[str, Any]:
    """`payload`: {"model_id", "anew"}: anew, from the blob store and by hash, whatever this process
    holds. Predicts nothing; the answer: {"inputs": what it predicts from, in words}. Raises
    InvalidInput (`model_altered`, `model_outdated`).
    """
    model_id = UUID(payload["model_id"])
    if payload["anew"]:
        bundle = load_model(resources, model_id)
    else:
        bundle = model_cache(resources).get(model_id)
    columns = sorted(column["name"] for column in bundle.manifest.columns)
    parts = ["a structure"] if bundle.needs_structures else []
    if columns:
        parts.append(f"the columns {', '.join(columns)}")
    return {"inputs": " and ".join(parts)}
