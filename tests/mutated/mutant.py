"""A file on its way to being damaged."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Mutant:
    name: str
    content: bytes
    rows: list[list[str]]
    #: of the ingest
    options: dict[str, Any] = field(default_factory=dict)
    how: list[str] = field(default_factory=list)
