"""Warm models of one process: the most recently used ones, bounded in memory."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import RLock
from uuid import UUID

from app.models.bundle import ModelBundle


class ModelCache:
    """Model versions never change, so an entry is never stale. Safe from several threads: one
    loads at a time.
    """

    def __init__(self, load: Callable[[UUID], ModelBundle], *, budget_bytes: int) -> None:
        """The model asked for last stays, even where it alone is above the budget."""
        self._load = load
        self._budget = budget_bytes
        self._bundles: OrderedDict[UUID, ModelBundle] = OrderedDict()
        self._lock = RLock()

    @property
    def held_bytes(self) -> int:
        """Estimate of what the kept models take."""
        with self._lock:
            return sum(bundle.memory_bytes for bundle in self._bundles.values())

    def __contains__(self, model_id: UUID) -> bool:
        return model_id in self._bundles

    def peek(self, model_id: UUID) -> ModelBundle | None:
        """The model if it is there; loads nothing."""
        bundle = self._bundles.get(model_id)
        if bundle is not None:
            self._bundles.move_to_end(model_id)
        return bundle

    def get(self, model_id: UUID) -> ModelBundle:
        """Raises what loading raises; nothing is kept then."""
        with self._lock:
            if model_id in self._bundles:
                self._bundles.move_to_end(model_id)
                return self._bundles[model_id]
            bundle = self._bundles[model_id] = self._load(model_id)
            while len(self._bundles) > 1 and self.held_bytes > self._budget:
                self._bundles.popitem(last=False)
            return bundle

    def warm(self, model_ids: Iterable[UUID]) -> None:
        """Load these before anybody asks, the most wanted last. Raises what loading raises."""
        for model_id in model_ids:
            self.get(model_id)
