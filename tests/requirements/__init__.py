"""Which tests prove which requirement: `make requirements`."""

import tomllib
from pathlib import Path

IDS = Path(__file__).with_name("ids.toml")


def known_ids() -> dict[str, dict[str, str]]:
    """group -> id -> what is required, in the order of the file."""
    return tomllib.loads(IDS.read_text())
