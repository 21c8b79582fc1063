"""Models of this process, kept warm for chunks and for the interactive path."""

from functools import lru_cache
from uuid import UUID

from app.core.errors import NotFound
from app.db.models import ModelVersionRow
from app.models.bundle import ModelBundle
from app.models.cache import ModelCache
from app.resources import Resources


def load_model(resources: Resources, model_id: UUID) -> ModelBundle:
    """From the blob store, checked by hash."""
    with resources.database.session() as session:
        row = session.get(ModelVersionRow, model_id)
    if row is None:
        raise NotFound(f"there is no model {model_id}")
    return ModelBundle.load(resources.storage, row.manifest_key, expected_sha256=row.sha256)


@lru_cache(maxsize=1)
def model_cache(resources: Resources) -> ModelCache:
    return ModelCache(
        lambda model_id: load_model(resources, model_id),
        budget_bytes=resources.settings.model_cache_bytes,
    )
