"""How long, as people say it."""

import re
from datetime import timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def seconds_of(given: str | float | timedelta) -> float:
    """`90d`, `24h`, `30m`, `45s`, `2w`; a number is seconds. Raises ValueError for other words."""
    if isinstance(given, timedelta):
        return given.total_seconds()
    if isinstance(given, int | float):
        return float(given)
    found = _FORM.fullmatch(given.strip())
    if found is None:
        raise ValueError(f"{given!r} is no duration: say it as 90d, 24h, 30m or 45s")
    return float(found[1]) * _SECONDS[found[2]]
