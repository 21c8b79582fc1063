"""Retort's Python client: three lines to a prediction.

from retort import Retort
client = Retort()
client.predict("esol@champion", ["CCO", "c1ccccc1O"])
"""

from retort.client import Retort
from retort.errors import (
    ConnectionFailed,
    InvalidRequest,
    JobFailed,
    NotFound,
    RetortError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

__all__ = [
    "ConnectionFailed",
    "InvalidRequest",
    "JobFailed",
    "NotFound",
    "Retort",
    "RetortError",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
]
