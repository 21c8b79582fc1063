"""BentoML: POST /predict {"smiles": ["..."]}. `python -m bentoml serve` of its own environment.

Set as its documentation recommends: a worker for each core, adaptive batching (`batchable`), to
which each client sends a batch of one; nothing is shed before ten seconds.
"""

import os
from typing import Any

import bentoml

from benchmarks.peers.stored_model import CORES, load_model


@bentoml.service(
    workers=int(os.environ[CORES]),
    traffic={"timeout": 30},
    logging={"access": {"enabled": False}},
)
class Predictor:
    def __init__(self) -> None:
        self.model = load_model()

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=10_000)
    def predict(self, smiles: list[str]) -> list[dict[str, Any]]:
        return self.model(smiles)
