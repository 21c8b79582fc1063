"""How a file is cut into parts."""

from app.core.settings import MIB, Settings

#: more would make the row that lists them slow to rewrite
MAX_PARTS = 1_000


def part_bytes_for(size: int, settings: Settings) -> int:
    """Bytes of every part but the last of a file of `size` bytes."""
    needed = -(-size // MAX_PARTS)
    whole_mib = -(-needed // MIB) * MIB
    return max(settings.upload_part_bytes, whole_mib if needed > settings.upload_part_bytes else 0)


def largest_part(settings: Settings) -> int:
    """Bytes that no part of any upload exceeds."""
    return part_bytes_for(settings.max_upload_bytes, settings)


def part_count(size: int, part_bytes: int) -> int:
    return -(-size // part_bytes)


def part_size(size: int, part_bytes: int, number: int) -> int:
    """Bytes that part `number` (from 1) must have."""
    return min(part_bytes, size - (number - 1) * part_bytes)
