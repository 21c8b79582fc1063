"""Zip files of models: the same bytes for the same content, and nothing unfolded unseen."""

import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from app.datasets.readers.zipped import DAMAGE
from app.exporting.folder import refused

#: no clock, so that equal models are equal files
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16
_BLOCK = 1 << 20
#: an ensemble of ten members for hundreds of targets
MAX_FILES = 5_000
MAX_BYTES = 8 << 30
#: fingerprints and trees shrink to a tenth; only zeros shrink to a thousandth
MAX_RATIO = 200
#: small files of zeros do no harm
_RATIO_FROM = 16 << 20
_MAX_NAME = 300
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def write_zip(target: BinaryIO, files: Mapping[str, Path | bytes]) -> None:
    """In the order of the names."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr, entry.compress_type = _MODE, zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is written
            content = files[name]
            with archive.open(entry, "w", force_zip64=True) as part:
                if isinstance(content, bytes):
                    part.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, part, _BLOCK)


def folder_files(folder: Path) -> dict[str, Path]:
    """Every file below, by its path in the folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files}


def unpack(path: Path, folder: Path) -> set[str]:
    """The names of its files, which lie in `folder` now. Raises InvalidInput (`bundle_refused`) for
    what is no plain archive within the limits; what it says of itself is not believed, the bytes
    that come out are counted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check_names(entries)
            left = MAX_BYTES
            for entry in entries:
                left -= _unpack_one(archive, entry, folder / entry.filename, left)
            return {entry.filename for entry in entries}
    except DAMAGE as error:
        raise refused(f"the file is no zip archive, or is damaged: {error}"[:300]) from error


def _check_names(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_FILES:
        raise refused(f"the archive holds {len(entries):,} files; {MAX_FILES:,} are allowed")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        parts = PurePosixPath(name).parts
        if (
            len(name) > _MAX_NAME
            or "\\" in name
            or "\0" in name
            or ":" in name
            or name != "/".join(parts)
            or any(part in ("", ".", "..", "/") for part in parts)
        ):
            raise refused(f"the archive holds a file with the name {name[:100]!r}")
        if name in seen:
            raise refused(f"the archive holds {name!r} twice")
        seen.add(name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise refused(f"{name!r} in the archive is a link or no plain file")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
            raise refused(f"{name!r} in the archive is encrypted or packed in an unusual way")


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    """How many bytes it was."""
    most = min(left, max(_RATIO_FROM, entry.compress_size * MAX_RATIO))
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(entry) as source, target.open("xb") as stream:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > most:
                raise refused(f"{entry.filename!r} unfolds to more than {most:,} bytes")
            stream.write(block)
    return written
