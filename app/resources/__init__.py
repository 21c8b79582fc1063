"""What a process works with, wired once from the settings: database, blobs, cache."""

from functools import cached_property, lru_cache

from redis import Redis

from app.core.settings import Settings, get_settings
from app.db.database import Database
from app.storage import build_storage
from app.storage.base import Storage


class Resources:
    """Made lazily, so that importing or forking costs nothing."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        return Database(
            self.settings.database_url,
            idle_in_transaction_seconds=self.settings.lease_seconds,
        )

    @cached_property
    def storage(self) -> Storage:
        return build_storage(self.settings)

    @cached_property
    def cache(self) -> "Redis[bytes]":
        """Caches only: every use must survive its loss."""
        return Redis.from_url(
            self.settings.effective_cache_url, socket_timeout=5, socket_connect_timeout=2
        )

    @cached_property
    def redis(self) -> "Redis[bytes]":
        """Interactive replies."""
        return Redis.from_url(self.settings.redis_url, socket_timeout=60, socket_connect_timeout=5)

    @cached_property
    def publisher(self) -> "Redis[bytes]":
        """What is told to whoever listens; an outage holds nobody up for long."""
        return Redis.from_url(self.settings.redis_url, socket_timeout=2, socket_connect_timeout=2)


@lru_cache(maxsize=1)
def get_resources() -> Resources:
    """This process's resources; tests call `get_resources.cache_clear()`."""
    return Resources(get_settings())
