"""CSV by Arrow against Python's csv module."""

import csv
import io
import math

import pyarrow as pa
import pytest

from app.core.csv_cells import safe_cell
from app.prediction.csv_text import csv_header, csv_rows

TEXTS = [
    "CCO", "", None, "a,b", 'say "so"', '"', "two\nlines", "two\r\nlines", "=1+1", "+1", "-1", "@x",
    "\tx", "\rx", "=O,x", "'=1", "a=b", "ü", " x ", "x" * 5_000,
]  # fmt: skip
NUMBERS = [0.0, -0.0, 1.0, 0.1, 1e-5, 1e22, 1e15, 5e-324, 1 / 3, -2.5, 1.7976931348623157e308, None]


def text_of(table):
    return b"".join(csv_rows(table))


def read(raw):
    return list(csv.reader(io.StringIO(raw.decode(), newline="")))


def test_texts_are_written_as_by_the_csv_module():
    table = pa.table({"a": pa.array(TEXTS), "b": pa.array(TEXTS[::-1])})
    expected = io.StringIO()
    rows = zip(TEXTS, TEXTS[::-1], strict=True)
    csv.writer(expected).writerows(
        [None if text is None else safe_cell(text) for text in row] for row in rows
    )
    assert text_of(table) == expected.getvalue().encode()


def test_numbers_read_back_as_they_were():
    table = pa.table({"x": pa.array(NUMBERS), "n": pa.array(range(len(NUMBERS)))})
    found = read(text_of(table))
    assert [None if x == "" else float(x) for x, _ in found] == NUMBERS
    assert math.copysign(1, float(found[1][0])) == -1
    assert [int(n) for _, n in found] == list(range(len(NUMBERS)))


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (pa.array([True, None, False]), ["True", "", "False"]),
        (pa.array([None, None, None], pa.string()), ["", "", ""]),
        (pa.array([-1, None, 3], pa.int64()), ["-1", "", "3"]),
        (pa.array([float("inf"), float("nan"), None]), ["inf", "nan", ""]),
    ],
)
def test_other_columns(column, cells):
    table = pa.table({"row": pa.array([1, 2, 3]), "x": column})
    assert [cell for _, cell in read(text_of(table))] == cells


def test_many_rows_in_chunks_keep_their_order():
    texts = [f"C{n},{n}" for n in range(25_000)]
    table = pa.table({"x": pa.chunked_array([texts[:7], texts[7:12_000], texts[12_000:]])})
    assert [row[0] for row in read(text_of(table.slice(3)))] == texts[3:]
    assert text_of(table.slice(0, 0)) == b""


def test_names_of_columns_are_texts_too():
    assert csv_header(["row", "a,b", "=x", 'q"']) == b'row,"a,b",\'=x,"q"""\r\n'
