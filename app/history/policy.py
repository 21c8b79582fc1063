"""Which predictions are stored, and for how long."""

import random
from typing import Literal

from pydantic import Field

from app.core.requests import RequestModel


class HistoryPolicy(RequestModel):
    """As an endpoint or a request asks for it."""

    store: Literal["none", "all", "sample"] = "none"
    #: of `sample`: how many of all inputs are stored; drawn for each input of each request anew, so
    #: that rare inputs have the same chance as frequent ones
    share: float = Field(default=1.0, gt=0, le=1)
    #: removed after so many days; left out: as the installation is set (RETORT_PREDICTION_DAYS)
    keep_days: int | None = Field(default=None, ge=1, le=36_500)

    def keeps(self) -> bool:
        """Whether the next prediction is stored."""
        if self.store == "sample":
            return random.random() < self.share  # noqa: S311 - guards no secret
        return self.store == "all"


#: of requests and endpoints that say nothing
NONE = HistoryPolicy()
#: of `"remember": true`
ALL = HistoryPolicy(store="all")
