"""What all events have: the class is the type, its name the exact name, its fields the data."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]


class EventData(BaseModel):
    """The `data` of an event. A field that is added later has a default; one that changes its
    meaning makes the next `schema_version`, whose schema stands beside the one before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    schema_version: ClassVar[int] = 1
    #: False: declared, so that receivers know the name, but nothing of this release sends it
    sent: ClassVar[bool] = True
    #: webhooks cannot ask for it; it is sent to the one that it is about
    subscribable: ClassVar[bool] = True

    @classmethod
    def type_name(cls) -> str:
        return cls.__name__


class Part(BaseModel):
    """What stands inside the data of an event."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class JobEventData(EventData):
    """Of a job: every command carries its own id and correlation id, every event repeats them."""

    id: str = Field(description="The client's own reference of the job, else the job's id.")
    user_id: str = Field(description="Who submitted it.")
    correlation_id: str | None = Field(default=None, description="As the client sent it.")
    job_id: str


class FailedJobData(JobEventData):
    """A job that failed or was cancelled."""

    message: str
    problem: Json | None = Field(default=None, description="The problem document of the job.")
