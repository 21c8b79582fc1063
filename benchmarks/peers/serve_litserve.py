"""LitServe: POST /predict {"smiles": "..."}. Run by its own interpreter.

Set as its documentation recommends: workers as many as cores on a CPU, ZeroMQ between the processes
(`fast_queue`, for more than 100 requests/s), batches of what has come in within a moment.
"""

import os
from typing import Any

import litserve

from benchmarks.peers.stored_model import CORES, PORT, load_model


class Predictor(litserve.LitAPI):
    def setup(self, device: str) -> None:
        del device
        self.model = load_model()

    def decode_request(self, request: dict[str, str]) -> str:
        return request["smiles"]

    def predict(self, smiles: list[str]) -> list[dict[str, Any]]:
        return self.model(smiles)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    batching = float(os.environ.get("PEER_WAIT_SECONDS", "0.001"))
    server = litserve.LitServer(
        Predictor(max_batch_size=32, batch_timeout=batching),
        accelerator="cpu",
        workers_per_device=int(os.environ[CORES]),
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ[PORT]),
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
