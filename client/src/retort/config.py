"""Where the server is and which key to use: environment first, then a file."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from retort.errors import RetortError


@dataclass(frozen=True, kw_only=True)
class Config:
    url: str
    api_key: str
    #: where it was found, for messages
    source: str


def find_config(url: str | None = None, api_key: str | None = None) -> Config:
    """Arguments, RETORT_URL + RETORT_API_KEY, the file RETORT_CONFIG, the nearest
    `.retort/client.json` upwards, `~/.config/retort/client.json`; the first that says both.

    Raises RetortError that names these places.
    """
    url = url or os.environ.get("RETORT_URL")
    api_key = api_key or os.environ.get("RETORT_API_KEY")
    if url and api_key:
        return Config(url=url, api_key=api_key, source="environment")
    for path in _places():
        if path.is_file():
            stored = json.loads(path.read_text())
            return Config(
                url=url or stored["url"], api_key=api_key or stored["api_key"], source=str(path)
            )
    raise RetortError(
        {
            "code": "no_configuration",
            "title": "No server is configured",
            "detail": "neither RETORT_URL and RETORT_API_KEY nor a client.json was found",
            "remedy": "Run `make up` here, or set RETORT_URL and RETORT_API_KEY.",
        }
    )


def _places() -> list[Path]:
    named = os.environ.get("RETORT_CONFIG")
    upwards = [folder / ".retort" / "client.json" for folder in (Path.cwd(), *Path.cwd().parents)]
    home = Path.home() / ".config" / "retort" / "client.json"
    return [*([Path(named)] if named else []), *upwards, home]
