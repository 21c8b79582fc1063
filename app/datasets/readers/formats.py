"""Which format a file has: by its content, then by its name. A wrong extension does not matter."""

import re
from typing import get_args

from app.core.errors import InvalidInput
from app.datasets.readers.smiles_text import is_smiles_text
from app.datasets.readers.source import ZIP, Source
from app.datasets.readers.table import Format

#: what a person may say; auto: guessed
FORMATS = ("auto", *get_args(Format))
_PARQUET = b"PAR1"
_READABLE = "Export it as CSV, Excel (.xlsx), Parquet, SMILES, SDF, mol2 or JSON lines."
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TAR_AT = 257
#: first bytes of what people upload by mistake
_BINARY = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"{\\rtf", "a rich text file (.rtf)"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"CDF\x01", "a NetCDF file"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"ARROW1", "an Arrow (Feather) file"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05](\x95|[\]}cX(K\x8c])")
_ARCHIVES = "Upload the data file gzipped (.gz) or zipped (.zip)."
_MARKUP = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml)", re.IGNORECASE)
_SDF = re.compile(r"^(M  END|\$\$\$\$)", re.MULTILINE)
#: the fourth line of a Mol block
_COUNTS_LINE = re.compile(r"([^\n]*\n){3}[^\n]{0,36}V[23]000")
_MOL2 = re.compile(r"^@<TRIPOS>MOLECULE", re.MULTILINE)
_OBJECTS = re.compile(r"\s*\[\s*[{\]]")
_OBJECT = re.compile(r"\s*\{\s*[\"}]")


def choose_format(source: Source, said: str) -> Format:
    """The format to read by. Raises InvalidInput for an empty file and for known binary ones."""
    if not source.head.strip():
        raise InvalidInput(
            "the file is empty", code="empty_file", remedy="Upload a file with a header and rows."
        )
    found = _binary_format(source.head)
    if found is not None:
        _check_said(said, found)
        return found
    if said in ("excel", "parquet"):
        raise _wrong(said, "a text file")
    if said != "auto":
        return next(format_ for format_ in get_args(Format) if format_ == said)
    return _text_format(source)


def _binary_format(head: bytes) -> Format | None:
    if head.startswith(ZIP):
        return "excel"  # other zip files were opened or refused before
    if head.startswith(_PARQUET):
        return "parquet"
    name = next((name for sign, name in _BINARY if head.startswith(sign)), None)
    if head.startswith(_OLE):
        raise InvalidInput(
            "the file is an old (.xls) or password-protected Office file",
            code="unsupported_format",
            remedy="Open it in Excel, save it as .xlsx without a password, and upload that.",
        )
    if _PICKLE.match(head):
        name = "a Python pickle, which may run code when it is read"
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        name = "a tar archive"
    if name is not None:
        remedy = _ARCHIVES if "archive" in name else _READABLE
        raise InvalidInput(f"the file is {name}", code="unsupported_format", remedy=remedy)
    if _MARKUP.match(head):
        raise InvalidInput(
            "the file is a web page (HTML or XML), not a table",
            code="not_a_table",
            remedy="Download the data itself; a login page may have been saved in its place.",
        )
    return None


def _check_said(said: str, found: Format) -> None:
    if said not in ("auto", found):
        raise _wrong(said, "an Excel workbook" if found == "excel" else f"a {found} file")


def _wrong(said: str, is_: str) -> InvalidInput:
    return InvalidInput(
        f"the format was said to be {said}, but the file is {is_}",
        code="wrong_format",
        remedy="Leave `format` out: it is found by content.",
    )


def _text_format(source: Source) -> Format:
    from app.datasets.readers.text import Lines

    name = source.name.lower()
    # a probe of its own: notes are made by the reader
    probe = Lines(Source(name=name, head=source.head, rest=source.rest, opened=source.opened))
    lines = probe.head()
    text = "\n".join(lines)
    if _MOL2.search(text):
        return "mol2"
    if _SDF.search(text) or _COUNTS_LINE.match(text):
        return "sdf"
    said = name.endswith((".jsonl", ".ndjson", ".json")) and text.lstrip().startswith(("{", "["))
    if said or _OBJECTS.match(text) or _OBJECT.match(text):
        return "jsonl"
    if is_smiles_text(lines, named=name.endswith((".smi", ".smiles", ".ism", ".can", ".cxsmiles"))):
        return "smiles"
    return _by_name(name, lines)


def _by_name(name: str, lines: list[str]) -> Format:
    """Of a text that shows no sign of its format."""
    if name.endswith((".sdf", ".sd", ".mol")) and len(lines) > 1 and not _looks_delimited(lines):
        return "sdf"
    return "mol2" if name.endswith(".mol2") and not _looks_delimited(lines) else "csv"


def _looks_delimited(lines: list[str]) -> bool:
    from app.datasets.readers.separators import guess_separator

    return guess_separator(lines) is not None
