"""Zip archives: which member is the data, and what is refused before anything is unfolded."""

import struct
import zipfile
import zlib
from pathlib import Path

from app.core.errors import InvalidInput
from app.datasets.readers.table import damaged

_END = b"PK\x05\x06"
_END_BYTES = 22
_MAX_COMMENT = 65_535
#: of the list of members: some 50,000 names
_MAX_DIRECTORY = 4 * 1024 * 1024
_SHOWN = 10
_ENCRYPTED = 0x1
_JUNK = frozenset({"thumbs.db", "desktop.ini"})
#: what zipfile raises for archives that were damaged
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    struct.error,
    NotImplementedError,
    OverflowError,
    EOFError,
    KeyError,
    OSError,
)


def open_archive(path: Path) -> zipfile.ZipFile:
    """Raises InvalidInput when it is damaged or lists very many members."""
    _check_directory(path)
    try:
        return zipfile.ZipFile(path)
    except DAMAGE as error:
        raise damaged(
            f"the zip archive is damaged: {error}"[:300], "Make the archive and upload it again."
        ) from error


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """An .xlsx; refuses other office files by name."""
    names = set(archive.namelist())
    if any(name.startswith("xl/") for name in names) and "xl/workbook.bin" not in names:
        return True
    kind = next((text for sign, text in _OFFICE.items() if sign in names), None)
    if kind is None:
        return False
    raise InvalidInput(
        f"the file is {kind}",
        code="unsupported_format",
        remedy="Save the table as .xlsx or .csv and upload that.",
    )


_OFFICE = {
    "xl/workbook.bin": "a binary Excel workbook (.xlsb)",
    "word/document.xml": "a Word document (.docx)",
    "ppt/presentation.xml": "a PowerPoint presentation (.pptx)",
    "content.xml": "an OpenDocument file (.ods, .odt)",
    "data.pkl": "a PyTorch file",
    "META-INF/MANIFEST.MF": "a Java archive",
}


def only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one data file; folders, dot files and __MACOSX do not count."""
    members = [info for info in archive.infolist() if _is_data(info)]
    if len(members) != 1:
        names = ", ".join(repr(info.filename[:100]) for info in members[:_SHOWN])
        more = f" and {len(members) - _SHOWN} more" if len(members) > _SHOWN else ""
        raise InvalidInput(
            f"the archive holds {len(members)} files: {names}{more}"
            if members
            else "the archive holds no data file",
            code="archive_members",
            remedy="Zip exactly one data file, or upload the files one by one.",
        )
    member = members[0]
    if member.flag_bits & _ENCRYPTED:
        raise InvalidInput(
            "the zip archive is encrypted",
            code="encrypted_archive",
            remedy="Zip it without a password; Retort keeps files inside your own cluster.",
        )
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidInput(
            f"the zip archive uses compression method {member.compress_type}, not Deflate",
            code="unsupported_format",
            remedy="Zip it with the usual method (Deflate), or upload it gzipped.",
        )
    return member


def _is_data(info: zipfile.ZipInfo) -> bool:
    parts = info.filename.split("/")
    base = parts[-1]
    hidden = not base or base.startswith(".") or base.lower() in _JUNK
    return not info.is_dir() and not hidden and "__MACOSX" not in parts


def _check_directory(path: Path) -> None:
    """The library reads the whole list of members at once: refuse one that would fill memory."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END_BYTES - _MAX_COMMENT))
        tail = stream.read()
    end = tail.rfind(_END)
    if end < 0 or end + _END_BYTES > len(tail):
        raise damaged("the zip archive has no end (cut off?)", "Upload it again, whole.")
    directory = struct.unpack_from("<I", tail, end + 12)[0]
    if directory > _MAX_DIRECTORY:
        raise InvalidInput(
            "the zip archive lists too many files",
            code="archive_members",
            remedy="Zip exactly one data file.",
        )
