"""Of any job."""

from typing import ClassVar

from pydantic import Field

from app.events.types.base import JobEventData, Json


class JobStateChanged(JobEventData):
    """A job has entered another state. Its first one, at submission, is the answer 202."""

    kind: str
    state: str
    trigger: str = Field(description="Why: claim, succeed, fail, cancel, lease_lost, ...")
    attempt: int
    job_version: int = Field(description="Of the job; grows with each change.")
    progress: Json = Field(default_factory=dict)


class JobProgressed(JobEventData):
    """Not sent by this release: progress is a state, not a fact, and has its own stream
    (GET /api/v1/jobs/{id}/events).
    """

    sent: ClassVar[bool] = False

    state: str
    progress: Json
