"""Of monitors. Declared here; who runs a monitor records them."""

from typing import ClassVar

from pydantic import Field

from app.events.types.base import EventData, Json


class _Measured(EventData):
    """One test of one window."""

    sent: ClassVar[bool] = False

    monitor: str
    test: str
    value: float | None
    threshold: float | None
    window: Json = Field(description="Of what was looked at: start and end, or rows.")
    target: str | None = None
    column: str | None = None


class DriftDetected(_Measured):
    """Inputs or answers are no longer as in training."""


class PerformanceDegraded(_Measured):
    """A model is worse than it was, measured or estimated."""


class MonitorRan(EventData):
    """A monitor has looked, whatever it found."""

    sent: ClassVar[bool] = False

    monitor: str
    target: str | None = None
    window: Json
    alerts: int


class SampleFlagged(EventData):
    """One prediction that a person should look at."""

    sent: ClassVar[bool] = False

    prediction_id: str | None = None
    endpoint: str | None = None
    reason: str
    value: float | None = None
    threshold: float | None = None
