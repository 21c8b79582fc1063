"""Warm models of one process: the most recently used ones, bounded in number."""

from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from app.models.bundle import ModelBundle


class ModelCache:
    """Model versions never change, so an entry is never stale. For one thread."""

    def __init__(self, load: Callable[[UUID], ModelBundle], *, size: int = 8) -> None:
        self._load = load
        self._size = size
        self._bundles: OrderedDict[UUID, ModelBundle] = OrderedDict()

    def get(self, model_id: UUID) -> ModelBundle:
        """Raises what loading raises; nothing is kept then."""
        if model_id in self._bundles:
            self._bundles.move_to_end(model_id)
            return self._bundles[model_id]
        bundle = self._bundles[model_id] = self._load(model_id)
        while len(self._bundles) > self._size:
            self._bundles.popitem(last=False)
        return bundle
