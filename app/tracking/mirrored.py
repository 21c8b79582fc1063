"""A name of models as another registry shows it: ours leads, theirs follows."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class MirroredVersion:
    model_id: str
    number: int
    #: of the tracker; None when it never learned of the version
    run_id: str | None
    description: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MirroredName:
    name: str
    description: str
    tags: dict[str, str]
    #: by number, without a gap: so the other registry counts as we do
    versions: tuple[MirroredVersion, ...]
    #: alias -> number
    aliases: dict[str, int]


class Mirror(Protocol):
    """Guarantees: `show` is idempotent, and what it was stopped in is made good by the next call;
    an outage raises Retryable within seconds.
    """

    def show(self, name: MirroredName) -> None: ...


class MemoryMirror:
    """Keeps what was shown; for tests."""

    def __init__(self) -> None:
        self.names: dict[str, MirroredName] = {}

    def show(self, name: MirroredName) -> None:
        self.names[name.name] = name
