"""Lines of a text file, whatever its encoding and line ends, each of bounded length."""

import codecs
from collections.abc import Iterator

from app.core.errors import InvalidInput
from app.datasets.readers.source import Readable, Source
from app.datasets.readers.table import damaged

_READ = 256 * 1024
_MAX_LINE = 16 * 1024 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it begins with the same bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FALLBACK = "retort-windows-1252"


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(_one_byte(byte) for byte in wrong), error.end


def _one_byte(byte: int) -> str:
    """Five bytes mean nothing in Windows-1252; Latin-1 has a character for each."""
    try:
        return bytes([byte]).decode("windows-1252")
    except UnicodeDecodeError:
        return chr(byte)


codecs.register_error(_FALLBACK, _as_windows)


class _Utf8(codecs.BufferedIncrementalDecoder):
    """UTF-8; each byte that is not is read as Windows-1252, the next likely encoding."""

    broken = False

    def _buffer_decode(self, data: bytes, errors: str, final: bool) -> tuple[str, int]:  # type: ignore[override]
        del errors
        try:
            return codecs.utf_8_decode(data, "strict", final)
        except UnicodeDecodeError:
            self.broken = True
            return codecs.utf_8_decode(data, _FALLBACK, final)


def encoding_of(head: bytes) -> tuple[str, int]:
    """(encoding, bytes of its mark). Windows-1252 when most bytes beyond ASCII are no UTF-8."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    if head.isascii():
        return "utf-8", 0
    decoded = head.decode("utf-8", errors="ignore")
    good = sum(len(c.encode()) for c in decoded if not c.isascii())
    beyond = sum(byte >= 0x80 for byte in head)  # noqa: PLR2004
    # a character may be cut at the end of the head
    wrong = beyond - good > (3 if len(head) >= _READ else 0)
    return ("windows-1252" if wrong and good <= beyond / 2 else "utf-8"), 0


class Lines:
    """Iterates once over the lines, without their ends; raises InvalidInput for NUL bytes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.encoding, skip = encoding_of(source.head)
        self._first = source.head[skip:]
        if self.encoding == "windows-1252":
            source.notes.append("the file is not UTF-8; it was read as Windows-1252 (Latin-1)")
        elif self.encoding.startswith("utf-16"):
            source.notes.append("the file is UTF-16")

    def head(self) -> list[str]:
        """The first lines, whole ones only; they are read again when iterating."""
        text = self._decoder().decode(self._first, final=self._source.whole)
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return lines if self._source.whole or len(lines) == 1 else lines[:-1]

    def __iter__(self) -> Iterator[str]:
        decoder = self._decoder()
        pending, after_return, number = "", False, 0
        for chunk in _chunks(self._first, self._source.rest):
            text = decoder.decode(chunk)
            if after_return and text.startswith("\n"):
                text = text[1:]  # the second half of a line end
            after_return = text.endswith("\r") if text else after_return
            lines = (pending + _plain_ends(text)).split("\n")
            pending = lines.pop()
            self._check(text, pending, number)
            number += len(lines)
            yield from lines
        last = pending + _plain_ends(decoder.decode(b"", final=True))
        self._say(decoder)
        if last:
            yield from last.split("\n")

    def _decoder(self) -> codecs.IncrementalDecoder:
        if self.encoding in ("utf-8", "windows-1252"):
            return _Utf8()
        return codecs.getincrementaldecoder(self.encoding)(errors="replace")

    @staticmethod
    def _check(text: str, pending: str, number: int) -> None:
        if "\0" in text:
            raise InvalidInput(
                f"the file holds NUL bytes (after line {number}): it is binary or damaged",
                code="not_a_table",
                remedy="Export it as CSV, Excel, Parquet, SMILES, SDF, mol2 or JSON lines.",
            )
        if len(pending) > _MAX_LINE:
            raise damaged(
                f"line {number + 1} is longer than {_MAX_LINE:,} characters",
                "Check the line ends and that the file is a table.",
            )

    def _say(self, decoder: codecs.IncrementalDecoder) -> None:
        said = self.encoding == "windows-1252"
        if isinstance(decoder, _Utf8) and decoder.broken and not said:
            self._source.notes.append(
                "some bytes are not UTF-8; they were read as Windows-1252 (Latin-1)"
            )


def _plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _chunks(first: bytes, rest: Readable) -> Iterator[bytes]:
    for start in range(0, len(first), _READ):
        yield first[start : start + _READ]
    while chunk := rest.read(_READ):
        yield chunk
