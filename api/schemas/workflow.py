"""Several jobs that depend on each other, in one request."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas.job import JobAnswer, Label
from app.core.requests import RequestModel

#: a job's name within its workflow
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["train"])]


class WorkflowJob(RequestModel):
    """As in POST /jobs, but `needs` holds keys, and anywhere in `params` may stand
    {"$from": "<key>.result.<name>"}: the value that the other job's result will have.
    """

    kind: str = Field(max_length=50)
    params: dict[str, Any] = Field(max_length=200)
    needs: tuple[Key, ...] = Field(default=(), max_length=50)
    labels: dict[Label, Label] = Field(default_factory=dict, max_length=48)
    deadline_seconds: float | None = Field(default=None, gt=0, le=30 * 86_400)
    priority: int = Field(default=5, ge=0, le=9)
    client_ref: str | None = Field(default=None, max_length=200)


class WorkflowRequest(RequestModel):
    jobs: dict[Key, WorkflowJob] = Field(
        min_length=1,
        max_length=50,
        examples=[
            {
                "optimize": {
                    "kind": "optimize",
                    "params": {"dataset": "esol", "algorithm": "lightgbm", "then": "none"},
                },
                "train": {
                    "kind": "train",
                    "params": {
                        "dataset": "esol",
                        "algorithm": {
                            "name": "lightgbm",
                            "params": {"$from": "optimize.result.best_params"},
                        },
                    },
                },
                "evaluate": {
                    "kind": "evaluate",
                    "params": {"model": {"$from": "train.result.model_ref"}},
                },
            }
        ],
    )


class WorkflowAnswer(BaseModel):
    """`state`: running until every job has ended; then failed or cancelled if one of them is."""

    id: UUID
    state: Literal["running", "succeeded", "failed", "cancelled"]
    jobs: dict[str, JobAnswer]
    links: dict[str, str]
