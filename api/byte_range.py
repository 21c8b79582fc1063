"""`Range: bytes=...` of RFC 9110, 14: one range; what we do not serve means the whole."""

import re
from dataclasses import dataclass

from app.core.errors import RangeNotSatisfiable

_SINGLE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


@dataclass(frozen=True, kw_only=True)
class ByteRange:
    """Bytes [start, stop)."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


def wanted_range(header: str | None, size: int) -> ByteRange | None:
    """None: the whole (no header, several ranges, or none that can be read).

    Raises RangeNotSatisfiable when the range begins behind the end.
    """
    match = _SINGLE.fullmatch((header or "").strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:  # the last so many bytes
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise RangeNotSatisfiable(
            f"the file has {size} bytes", headers={"Content-Range": f"bytes */{size}"}
        )
    return ByteRange(start=start, stop=stop)
