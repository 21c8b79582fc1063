"""Quotas and their use over HTTP."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from app.access.quotas import OF_KEY
from app.core.requests import RequestModel


class UseAnswer(BaseModel):
    scope: Literal["project", "key"]
    name: str
    quota: Literal["queued_jobs", "gpu_hours_per_month", "stored_bytes"]
    used: float
    #: null: no limit
    limit: float | None
    #: when `used` begins anew
    resets_at: dt.datetime | None


class UsageAnswer(BaseModel):
    items: list[UseAnswer]


class QuotaRequest(RequestModel):
    """The whole quota of a key, or of the project: what is left out has no limit."""

    #: its name; null: the project
    key: str | None = Field(default=None, min_length=1, max_length=200)
    #: jobs that wait, are queued or retrying
    queued_jobs: int | None = Field(default=None, ge=0, le=2**53)
    gpu_hours_per_month: float | None = Field(default=None, ge=0, le=1e9)
    stored_bytes: int | None = Field(default=None, ge=0, le=2**53)
    #: of a key: in place of the installation's rate; 0: as many as it likes
    requests_per_second: float | None = Field(default=None, ge=0, le=1_000_000)
    #: of a key: requests at once; null: what it may send in two seconds
    burst: int | None = Field(default=None, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _rates_are_of_keys(self) -> Self:
        if self.key is None and (self.requests_per_second, self.burst) != (None, None):
            raise ValueError("requests_per_second and burst belong to a key: name one")
        return self


class QuotaAnswer(BaseModel):
    """null: no limit."""

    scope: Literal["project", "key"]
    name: str
    queued_jobs: int | None
    gpu_hours_per_month: float | None
    stored_bytes: int | None
    requests_per_second: float | None
    burst: int | None


class QuotasAnswer(BaseModel):
    """The project first, then its keys by name."""

    items: list[QuotaAnswer]


def quota_json(scope: str, name: str, quota: Mapping[str, Any]) -> dict[str, Any]:
    return {"scope": scope, "name": name, **{field: quota.get(field) for field in OF_KEY}}
