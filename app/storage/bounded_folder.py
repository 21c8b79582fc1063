"""A folder of copies that may be made again: the oldest go when it grows too large."""

from pathlib import Path

#: blobs kept on this machine for memory mapping
CACHE_BYTES = 4 << 30


def trim(folder: Path, newest: Path, *, most: int = CACHE_BYTES) -> None:
    """Removes the oldest files until `folder` holds `most` bytes or fewer; `newest` stays."""
    files = sorted(
        (path for path in folder.rglob("*") if path.is_file() and path != newest),
        key=lambda path: path.stat().st_mtime,
    )
    total = sum(path.stat().st_size for path in files) + newest.stat().st_size
    while files and total > most:
        oldest = files.pop(0)
        total -= oldest.stat().st_size
        oldest.unlink(missing_ok=True)
