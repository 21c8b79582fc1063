"""CSV, TSV and files with other separators."""

import csv
from collections.abc import Iterable, Iterator

from app.datasets.readers.grid import Record, read_grid
from app.datasets.readers.separators import SEPARATORS, guess_separator, rows_of
from app.datasets.readers.source import Source
from app.datasets.readers.table import Options, Table, damaged
from app.datasets.readers.text import Lines

_NAMED = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def read(source: Source, options: Options) -> Table:
    """Raises InvalidInput for a file without rows and for quotes that never close."""
    lines = Lines(source)
    skipped, separator = _preamble(lines.head())
    head = lines.head()[len(skipped) :]
    separator = options.separator or separator or guess_separator(head) or ","
    if separator not in (",", "\t"):
        source.notes.append(f"cells are separated by {_NAMED.get(separator, separator)}")
    comment = _comment(skipped, separator)
    if skipped:
        source.notes.append(f"{len(skipped)} lines before the table were skipped")
    records = _records(iter(lines), separator, len(skipped))
    columns, rows = read_grid(records, options.settings, source.notes, comment=comment)
    return Table(
        format="tsv" if separator == "\t" else "csv",
        columns=columns,
        rows=rows,
        notes=source.notes,
        encoding=lines.encoding,
        separator=separator,
    )


def _preamble(head: list[str]) -> tuple[list[str], str | None]:
    """Blank lines, `#` lines and Excel's `sep=;` before the table; the separator they name."""
    skipped: list[str] = []
    separator = None
    for line in head:
        bare = line.strip().strip('"')
        if bare.lower().startswith("sep=") and len(bare) == len("sep=;"):
            separator = bare[-1] if bare[-1] in SEPARATORS else None
        elif bare and not bare.startswith("#"):
            break
        skipped.append(line)
    # a file of `#` lines alone is a table whose header begins so
    return (skipped, separator) if len(skipped) < len(head) else ([], separator)


def _comment(skipped: list[str], separator: str) -> list[str]:
    """Cells of the last `#` line."""
    marked = [line for line in skipped if line.lstrip().startswith("#")]
    if not marked:
        return []
    return next(rows_of([marked[-1].lstrip().lstrip("#")], separator), [])


class _Feed:
    """Gives lines to the csv module and remembers whether it asked for more than there were."""

    def __init__(self) -> None:
        self.number = 0
        self.ended = False

    def lines(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self.number += 1
            yield line + "\n"
        self.ended = True


def _records(lines: Iterator[str], separator: str, skip: int) -> Iterator[Record]:
    for _ in range(skip):
        next(lines, None)
    feed = _Feed()
    start = 1
    try:
        for cells in rows_of(feed.lines(lines), separator):
            if feed.ended:
                raise damaged(
                    f"a quote that is opened in line {start + skip} is never closed",
                    'Close it, or write a quote inside a cell twice ("").',
                )
            end = feed.number
            yield Record(cells, (start + skip, end + skip) if end > start else None)
            start = end + 1
    except csv.Error as error:
        raise damaged(
            f"from line {start + skip} on the file is no CSV: {error}",
            "Check the quotes and line ends near that line.",
        ) from error
