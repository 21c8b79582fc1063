"""A few molecules at once, by a process that keeps models warm."""

import time
from typing import Any
from uuid import UUID

from app.features.matrix import molecule_cache
from app.prediction.answers import answer_items
from app.prediction.inputs import predict_given
from app.prediction.loading import model_cache
from app.resources import Resources


def answer(resources: Resources, payload: dict[str, Any]) -> dict[str, Any]:
    """`payload`: {"model_id", "inputs": [{"smiles" or "features", "id"}]}; the answer:
    {"predictions", "milliseconds"}.
    """
    started = time.perf_counter()
    bundle = model_cache(resources).get(UUID(payload["model_id"]))
    inputs = payload["inputs"]
    found = predict_given(bundle, inputs, molecule_cache(resources))
    return {
        "predictions": answer_items(bundle, inputs, found),
        "milliseconds": round(1000 * (time.perf_counter() - started), 2),
    }
