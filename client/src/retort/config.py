"""Where the server is and which key to use: environment first, then a file."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from retort.errors import NotConfigured


@dataclass(frozen=True, kw_only=True)
class Config:
    url: str
    #: never shown
    api_key: str = field(repr=False)
    #: where it was found, for messages
    source: str


def find_config(url: str | None = None, api_key: str | None = None) -> Config:
    """Arguments, RETORT_URL + RETORT_API_KEY, the file RETORT_CONFIG, the nearest
    `.retort/client.json` upwards, `~/.config/retort/client.json`; the first that says both.

    Raises NotConfigured, which names these places, or the file that cannot be used.
    """
    source = "arguments" if url and api_key else "environment"
    url = url or os.environ.get("RETORT_URL")
    api_key = api_key or os.environ.get("RETORT_API_KEY")
    if url and api_key:
        return Config(url=url, api_key=api_key, source=source)
    for path in places():
        if path.is_file():
            stored = _read(path)
            return Config(
                url=url or stored["url"], api_key=api_key or stored["api_key"], source=str(path)
            )
    raise _nothing("neither RETORT_URL and RETORT_API_KEY nor a client.json was found")


def places() -> list[Path]:
    """Files that may say it, in order."""
    named = os.environ.get("RETORT_CONFIG")
    upwards = [folder / ".retort" / "client.json" for folder in (Path.cwd(), *Path.cwd().parents)]
    return [*([Path(named)] if named else []), *upwards, own_file()]


def own_file() -> Path:
    """The user's own file: `$XDG_CONFIG_HOME` or `~/.config`, `retort/client.json`."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "retort" / "client.json"


def store_config(url: str, api_key: str) -> Path:
    """Write the user's own file, readable by its owner only; where it is."""
    path = own_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps({"url": url, "api_key": api_key}, indent=2) + "\n")
    return path


def _read(path: Path) -> dict[str, str]:
    try:
        stored = json.loads(path.read_text())
        return {"url": str(stored["url"]), "api_key": str(stored["api_key"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _nothing(f"{path} cannot be used: it has no readable url and api_key") from error


def _nothing(detail: str) -> NotConfigured:
    return NotConfigured(
        {
            "code": "no_configuration",
            "title": "No server is configured",
            "detail": detail,
            "remedy": "Run `retort up` beside the server, `retort login --url URL --key KEY`, or "
            "set RETORT_URL and RETORT_API_KEY.",
        }
    )
