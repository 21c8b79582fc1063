"""How many requests a key may send: a token bucket, told as the IETF's draft for RateLimit fields.

The bucket holds `burst` tokens and gains `per_second` of them; a request takes one.
(draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says the quota `q` and its window `w`,
`RateLimit` what remains `r` and the seconds `t` until all of it is there again.)
"""

import math
from dataclasses import dataclass

from app.core.errors import RateLimited
from app.core.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Rate:
    per_second: float
    burst: int

    @property
    def policy(self) -> str:
        return f'"key";q={self.burst};w={max(1, math.ceil(self.burst / self.per_second))}'


@dataclass(frozen=True, kw_only=True)
class Decision:
    rate: Rate
    allowed: bool
    #: tokens that are left, with their fractions
    left: float

    @property
    def headers(self) -> dict[str, str]:
        """Of every answer to a key that has a limit."""
        full = math.ceil((self.rate.burst - self.left) / self.rate.per_second)
        return {
            "RateLimit-Policy": self.rate.policy,
            "RateLimit": f'"key";r={math.floor(self.left)};t={max(0, full)}',
        }

    @property
    def retry_after(self) -> int:
        """Seconds until the next token."""
        return max(1, math.ceil((1.0 - self.left) / self.rate.per_second))

    def check(self) -> None:
        """Raises RateLimited."""
        if not self.allowed:
            raise RateLimited(
                f"your key may send {self.rate.per_second:g} requests a second, and"
                f" {self.rate.burst} at once",
                headers={"Retry-After": str(self.retry_after)},
            )


def rate_of(settings: Settings, per_second: float | None, burst: int | None) -> Rate | None:
    """A key's own rate, else the installation's; 0 is no limit, and so is None for both."""
    rate = settings.rate_per_second if per_second is None else per_second
    if rate <= 0:
        return None
    given = burst if burst is not None else (settings.rate_burst if per_second is None else 0)
    return Rate(per_second=rate, burst=given or max(1, math.ceil(2 * rate)))
