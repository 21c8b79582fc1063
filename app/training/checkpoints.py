"""Checkpoints of a training in the blob store, where every worker finds them.

Each is one blob, never changed: a line of JSON (which fit it belongs to, SHA-256 of the rest), then
the algorithm's own bytes. Its name begins with the epoch, so the last name is the latest state.
"""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from app.core.errors import NotFound
from app.core.hashing import content_key
from app.jobs.outages import is_outage
from app.storage import Storage, keys

logger = logging.getLogger(__name__)


class BlobCheckpoints:
    """Of one job. `fit` is all that the trained model depends on: what was saved for another one
    (other parameters, other library versions) is not loaded, nor is a damaged blob.
    """

    def __init__(
        self, storage: Storage, *, job_id: UUID, attempt: int, fit: Mapping[str, Any]
    ) -> None:
        self._storage = storage
        self._job_id = job_id
        self._attempt = attempt
        self._fit = content_key(fit)

    def load(self) -> bytes | None:
        for key in sorted(self._storage.list(self._key("")), reverse=True):
            try:
                state = self._opened(self._storage.read(key))
            except NotFound:  # replaced by a worker that lost this job a moment ago
                continue
            except ValueError as error:
                logger.warning("checkpoint %s is ignored: %s", key, error)
                continue
            return state
        return None

    def save(self, epoch: int, state: bytes) -> None:
        digest = hashlib.sha256(state).hexdigest()
        header = orjson.dumps({"fit": self._fit, "sha256": digest})
        key = self._key(f"{epoch:06d}-{self._attempt:04d}-{digest[:16]}")
        try:
            self._storage.write(key, header + b"\n" + state)
            self._delete_others(epoch, key)
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("checkpoint %s was not stored: %s", key, error)

    def _delete_others(self, epoch: int, key: str) -> None:
        """Not the later ones: a worker that lost the job, unknowingly, takes nothing away."""
        for other in list(self._storage.list(self._key(""))):
            if other != key and other < self._key(f"{epoch + 1:06d}"):
                self._storage.delete(other)

    def _opened(self, blob: bytes) -> bytes:
        """The state in `blob`; raises ValueError when it is damaged or of another fit."""
        line, _, state = blob.partition(b"\n")
        header = orjson.loads(line)
        if (
            not isinstance(header, dict)
            or header.get("sha256") != hashlib.sha256(state).hexdigest()
        ):
            raise ValueError("it is damaged")
        if header.get("fit") != self._fit:
            raise ValueError("it belongs to another training")
        return state

    def _key(self, name: str) -> str:
        return keys.checkpoint(self._job_id, name)
