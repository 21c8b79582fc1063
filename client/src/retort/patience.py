"""When a request is sent again, and after how long; no clock and no socket in here."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_BASE_SECONDS = 0.5
_MAX_SECONDS = 20.0
_BUSY = frozenset({408, 425, 429, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a caller waits."""

    #: of one exchange, s
    timeout: float = 90.0
    #: of a call with all its retries, s; None: as long as the attempts take
    total_timeout: float | None = None
    attempts: int = 6
    #: a longer Retry-After is not waited for: the error comes at once and tells it, s
    longest_wait: float = 60.0


def backoff(attempt: int) -> float:
    """Exponential with jitter (0.5 to 1 of it), s; `attempt` counts from 1."""
    delay: float = min(_BASE_SECONDS * 2 ** (attempt - 1), _MAX_SECONDS) * random.uniform(0.5, 1.0)
    return delay


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds from a Retry-After of either form (RFC 9110, 10.2.3); None without a usable one."""
    text = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())


def worth_another_try(status: int, problem: Mapping[str, Any]) -> bool:
    """A busy or restarting server, or what the server itself calls retryable."""
    told = problem.get("retryable") is True and status != 500
    return told or status in _BUSY or problem.get("code") == "idempotency_in_progress"
