"""The data folder of an embedded cluster: what lies where, and what survives a restart."""

import json
import os
import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.servers import free_port

#: the clone that this code runs from: commands start here (alembic.ini, importable packages)
SOURCE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Home:
    """Paths below the data folder (`.retort`, or RETORT_HOME)."""

    root: Path

    @classmethod
    def find(cls) -> "Home":
        return cls(Path(os.environ.get("RETORT_HOME") or SOURCE / ".retort").absolute())

    def make(self) -> "Home":
        """Create it: others may pass through (Postgres' own account) but not look around."""
        if not self.root.exists():
            self.root.mkdir(parents=True)
            self.root.chmod(0o711)
        self.logs.mkdir(mode=0o700, exist_ok=True)
        return self

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def client_config(self) -> Path:
        """What the command line and the Python client read: {"url", "api_key"}."""
        return self.root / "client.json"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def folder(self, name: str) -> Path:
        """A private folder for one process."""
        path = self.root / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def secret(self, name: str) -> str:
        """A password made at the first start."""
        return self._made_once(name, lambda: secrets.token_urlsafe(32))

    def key(self, name: str) -> str:
        """32 bytes in base64, made at the first start."""
        return self._made_once(name, lambda: b64encode(secrets.token_bytes(32)).decode())

    def _made_once(self, name: str, make: Callable[[], str]) -> str:
        kept = self._kept("secrets.json")
        if name not in kept:
            kept[name] = make()
            write_private(self.root / "secrets.json", kept)
        return str(kept[name])

    def port(self, name: str) -> int:
        """The port that `name` had last time while it is free, else another, remembered."""
        kept = self._kept("ports.json")
        found = free_port(kept.get(name))
        if kept.get(name) != found:
            write_private(self.root / "ports.json", kept | {name: found})
        return found

    def _kept(self, name: str) -> dict[str, Any]:
        path = self.root / name
        return dict(json.loads(path.read_text())) if path.exists() else {}


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file at once, readable by its owner only."""
    write_private_text(path, json.dumps(content, indent=1))


def write_private_text(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
