"""The experiment tracker port: where model versions are also shown. Never on a job's way."""

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class TrackedModel:
    """A committed model version, as a tracker shows it."""

    model_id: str
    name: str
    number: int
    params: dict[str, Any]
    metrics: dict[str, float]
    tags: dict[str, str]
    #: file name -> content
    artifacts: dict[str, bytes] = field(default_factory=dict)


class Tracker(Protocol):
    """Guarantees: `log` is idempotent by model id and gives the run's id; an outage raises
    Retryable within seconds.
    """

    def log(self, model: TrackedModel) -> str: ...


class MemoryTracker:
    """Keeps what was logged; for tests."""

    def __init__(self) -> None:
        self.models: dict[str, TrackedModel] = {}

    def log(self, model: TrackedModel) -> str:
        self.models[model.model_id] = model
        return f"run-{model.model_id}"
