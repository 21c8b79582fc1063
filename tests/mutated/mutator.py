"""Seeded damage: what people's disks, mail programs, editors and enemies do to a file."""

import gzip
import io
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.mutated.bases import Base, bases, written

MIB = 1 << 20
_ODD_CELLS = (
    "",
    "nan",
    "inf",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "1,5",
    "1.234,5",
    "=cmd|' /C calc'!A0",
    "\U0001f9ea\u202eevil",
    "'; DROP TABLE jobs;--",
    "C" * 6000,
    "(" * 3000,
    "C1" * 500,
    "[" * 400,
    "c1ccccc1" * 100,
    "[Fe+++++++++]",
    "C%99",
    "#N/A",
    "two\nlines",
    '"',
    "\\",
    "NULL",
    "C" * 1000 + ".C" * 1000,
    "%s%n",
    "*",
)
_ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp1252", "cp500", "utf-7")
_ENDINGS = (
    ".csv",
    ".sdf",
    ".xlsx",
    ".parquet",
    ".smi",
    ".mol2",
    ".jsonl",
    ".pdf",
    ".gz",
    ".zip",
    "",
)
_MAGIC = (
    b"%PDF-1.7\n",
    b"\x89PNG\r\n\x1a\n",
    b"\x80\x04\x95",
    b"\x89HDF\r\n\x1a\n",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"PAR1",
    b"<!DOCTYPE html>",
    b"[{",
    b'{"a":',
    b"@<TRIPOS>MOLECULE\n",
    b"\xff\xfe",
    b"sep=;\n",
    b"# comment\n",
)


@dataclass
class Mutant:
    name: str
    content: bytes
    rows: list[list[str]]
    #: of the ingest
    options: dict[str, Any] = field(default_factory=dict)
    how: list[str] = field(default_factory=list)


def mutant(seed: int) -> Mutant:
    """The same seed gives the same file. One to three kinds of damage; some are packed."""
    rng = random.Random(seed)
    base: Base = rng.choice(bases())
    made = Mutant(base.name, base.content, base.rows)
    made.how.append(base.name)
    if made.rows and rng.random() < 0.35:
        _apply(rng, made, rng.choice(OF_TABLES))
    kinds = rng.choices(
        (OF_BYTES, OF_TEXT, OF_FORMAT, PACKED), (4, 5, 3, 3), k=rng.choice((1, 1, 2))
    )
    for kind in kinds:
        _apply(rng, made, rng.choice(kind))
    return made


def _apply(
    rng: random.Random, made: Mutant, damage: Callable[[random.Random, Mutant], None]
) -> None:
    damage(rng, made)
    made.how.append(damage.__name__)


# ---- bytes


def cut(rng, made):
    made.content = made.content[: rng.randrange(len(made.content) + 1)]


def beheaded(rng, made):
    made.content = made.content[rng.randrange(1, len(made.content) + 1) :]


def bytes_flipped(rng, made):
    data = bytearray(made.content)
    for _ in range(rng.choice((1, 2, 10, 60)) if data else 0):
        data[rng.randrange(len(data))] = rng.randrange(256)
    made.content = bytes(data)


def nuls(rng, made):
    data = bytearray(made.content)
    for _ in range(rng.choice((1, 3))):
        data.insert(rng.randrange(len(data) + 1), 0)
    made.content = bytes(data)


def a_piece_repeated(rng, made):
    data = made.content
    start = rng.randrange(len(data) + 1)
    end = rng.randrange(start, len(data) + 1)
    made.content = data[:end] + data[start:end] * rng.choice((1, 3)) + data[end:]


def a_piece_lost(rng, made):
    data = made.content
    start = rng.randrange(len(data) + 1)
    made.content = data[:start] + data[start + rng.randrange(1, 400) :]


def other_magic(rng, made):
    sign = rng.choice(_MAGIC)
    made.content = sign + (made.content if rng.random() < 0.5 else made.content[len(sign) :])


def noise(rng, made):
    made.content = rng.randbytes(rng.choice((1, 100, 10_000)))


def noise_inside(rng, made):
    at = rng.randrange(len(made.content) + 1)
    made.content = made.content[:at] + rng.randbytes(rng.choice((5, 3000))) + made.content[at:]


# ---- text


def encoding_changed(rng, made):
    try:
        text = made.content.decode()
        made.content = text.encode(rng.choice(_ENCODINGS), errors="replace")
    except UnicodeDecodeError:
        made.content = made.content.decode("latin-1").encode("utf-16")


def foreign_letters(rng, made):
    word = rng.choice(("Äthanol µ", "日本語", "é"))
    coded = word.encode(rng.choice(("utf-8", "cp1252", "shift-jis", "utf-16-le")), errors="replace")
    for _ in range(rng.choice((1, 20))):
        at = rng.randrange(len(made.content) + 1)
        made.content = made.content[:at] + coded + made.content[at:]


def line_ends_changed(rng, made):
    ends = rng.choice(
        (
            (b"\r",),
            (b"\r\n",),
            (b"\r", b"\n", b"\r\n", b"\n\n"),
            (b"\x0b", b"\n"),
            (b"\xe2\x80\xa8",),
        )
    )
    made.content = b"".join(line + rng.choice(ends) for line in made.content.split(b"\n"))


def quotes_broken(rng, made):
    data = made.content
    for _ in range(rng.choice((1, 1, 5))):
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.choice((b'"', b"'", b',"', b'\n"', b'""')) + data[at:]
    made.content = data


def lines_shuffled(rng, made):
    lines = made.content.split(b"\n")
    rng.shuffle(lines)
    made.content = b"\n".join(lines)


def lines_lost(rng, made):
    lines = made.content.split(b"\n")
    made.content = b"\n".join(line for line in lines if rng.random() < 0.8)


def no_first_line(rng, made):
    made.content = made.content.partition(b"\n")[2]


def one_line_only(rng, made):
    made.content = made.content.partition(b"\n")[0]


def blank_and_comment_lines(rng, made):
    lines = made.content.split(b"\n")
    for _ in range(5):
        at = 0 if rng.random() < 0.5 else rng.randrange(len(lines) + 1)
        lines.insert(at, rng.choice((b"", b"   ", b"# a comment, with commas", b",,,,", b"\t")))
    made.content = b"\n".join(lines)


def trailing_separators(rng, made):
    made.content = made.content.replace(b"\n", rng.choice((b",", b";", b"\t", b",,,,")) + b"\n")


def blanks_everywhere(rng, made):
    made.content = made.content.replace(b",", b"  , ").replace(b"\n", b"  \n  ")


def separators_changed(rng, made):
    old, new = rng.sample((b",", b";", b"\t", b"|", b" ", b"."), 2)
    half = len(made.content) // rng.choice((1, 2))
    made.content = made.content[:half].replace(old, new) + made.content[half:]


def a_huge_cell(rng, made):
    size = rng.choice((70_000, 300_000, 5 * MIB))
    at = rng.randrange(len(made.content) + 1)
    made.content = (
        made.content[:at] + rng.choice((b"C", b"(", b"1", b" ")) * size + made.content[at:]
    )


def said_wrongly(rng, made):
    made.options["format"] = rng.choice(
        ("csv", "tsv", "excel", "parquet", "smiles", "sdf", "mol2", "jsonl")
    )
    made.options["decimal"] = rng.choice(("auto", "point", "comma"))
    if rng.random() < 0.3:
        made.options["kind"] = rng.choice(("molecule", "table"))
    if rng.random() < 0.2:
        made.options["sheet"] = rng.choice(("Sheet1", "nothing", "x" * 90))


def wrong_ending(rng, made):
    made.name = made.name.rpartition(".")[0] + rng.choice(_ENDINGS)


# ---- tables


def columns_swapped(rng, made):
    order = list(range(len(made.rows[0])))
    rng.shuffle(order)
    _rewrite(made, [[row[n] for n in order] for row in made.rows])


def columns_doubled(rng, made):
    _rewrite(made, [row + row[: rng.choice((1, len(row)))] for row in made.rows])


def a_column_lost(rng, made):
    lost = rng.randrange(len(made.rows[0]))
    _rewrite(made, [row[:lost] + row[lost + 1 :] for row in made.rows])


def header_renamed(rng, made):
    names = [
        rng.choice(("", "smiles", "row", "x" * 300, name, "a,b", "id")) for name in made.rows[0]
    ]
    _rewrite(made, [names, *made.rows[1:]])


def rows_ragged(rng, made):
    rows = [row[: rng.randrange(len(row) + 2)] if rng.random() < 0.3 else row for row in made.rows]
    _rewrite(made, [made.rows[0], *rows[1:]])


def odd_cells(rng, made):
    rows = [list(row) for row in made.rows]
    for _ in range(rng.choice((1, 10, 40))):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(_ODD_CELLS)
    _rewrite(made, rows)


def thousands_of_columns(rng, made):
    wide = rng.choice((1500, 6000))
    _rewrite(made, [row + [str(n) for n in range(wide)] for row in made.rows])


def one_column_only(rng, made):
    kept = rng.randrange(len(made.rows[0]))
    _rewrite(made, [[row[kept]] for row in made.rows])


def constant_and_empty(rng, made):
    value = rng.choice(("", "1", "nan"))
    kept = rng.randrange(len(made.rows[0]))
    _rewrite(
        made,
        [made.rows[0]]
        + [[cell if n == kept else value for n, cell in enumerate(row)] for row in made.rows[1:]],
    )


def roles_said(rng, made):
    roles = ("smiles", "target", "feature", "id", "split", "ignore")
    names = rng.sample(made.rows[0], k=min(3, len(made.rows[0])))
    made.options["roles"] = {name or "x": rng.choice(roles) for name in names}
    made.options["duplicates"] = rng.choice(("merge", "keep_first", "keep_all", "auto"))


def _rewrite(made: Mutant, rows: list[list[str]]) -> None:
    made.content = written(rows)


# ---- formats


def sdf_records_broken(rng, made):
    text = made.content.decode("latin-1")
    old, new = rng.choice(
        (
            ("$$$$", ""),
            ("$$$$", "$$$"),
            ("M  END", ""),
            ("V2000", "V3000"),
            ("V2000", "V4000"),
            (" 48 50", "999999"),
            (">  <", "> "),
            ("\n\n", "\n"),
            (" C ", " Xx"),
            ("0.0", "nan"),
        )
    )
    made.content = text.replace(old, new, rng.choice((1, 2, -1))).encode("latin-1")


def parts_damaged(rng, made):
    """The members of a workbook, damaged one by one and packed again: the archive is sound."""
    if not made.content.startswith(b"PK"):
        bytes_flipped(rng, made)
        return
    try:
        source = zipfile.ZipFile(io.BytesIO(made.content))
        members = {name: source.read(name) for name in source.namelist()}
    except Exception:  # noqa: BLE001 - damaged before
        return
    victim = rng.choice(sorted(members))
    inner = Mutant(victim, members[victim], [])
    rng.choice((cut, bytes_flipped, a_piece_lost, a_piece_repeated, xml_entities, odd_numbers))(
        rng, inner
    )
    members[victim] = inner.content
    if rng.random() < 0.2:
        del members[victim]
    made.content = zipped(members)


def xml_entities(rng, made):
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    declared = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]>'.encode()
    made.content = declared + made.content.partition(b"?>")[2].replace(b"<v>", b"<v>&l9;", 1)


def odd_numbers(rng, made):
    number = rng.choice(
        (b'"0"', b'"-1"', b'"99999999999"', b'"XFE1"', b'"ZZZZZ9999999999"', b'"1e5"')
    )
    made.content = made.content.replace(rng.choice((b'"1"', b'"A1"', b'"B3"')), number)


def deep_json(rng, made):
    made.content = rng.choice((b"[", b'{"a":', b'[{"a":')) * rng.choice((50, 100_000))


def objects_broken(rng, made):
    old, new = rng.choice(
        (
            (b"}", b""),
            (b'"', b""),
            (b":", b","),
            (b"{", b"["),
            (b",", b",,"),
            (b"null", b"NaN"),
            (b".", b".0e9"),
        )
    )
    made.content = made.content.replace(old, new, rng.choice((1, 3, -1)))


# ---- packed


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def gzipped(rng, made):
    made.content = gzip.compress(made.content, mtime=0)
    made.name += rng.choice((".gz", ""))


def in_a_zip(rng, made):
    made.content = zipped(
        {"__MACOSX/._x": b"\0", "folder/": b"", f"folder/{made.name}": made.content}
    )


def truncated_gzip(rng, made):
    gzipped(rng, made)
    cut(rng, made)


def damaged_gzip(rng, made):
    gzipped(rng, made)
    bytes_flipped(rng, made)


def damaged_zip(rng, made):
    in_a_zip(rng, made)
    rng.choice((cut, bytes_flipped, nuls, a_piece_lost))(rng, made)


def nested(rng, made):
    first, second = rng.choice((gzipped, in_a_zip, in_a_tar)), rng.choice((gzipped, in_a_zip))
    first(rng, made)
    second(rng, made)


def in_a_tar(rng, made):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(made.name)
        info.size = len(made.content)
        archive.addfile(info, io.BytesIO(made.content))
    made.content = buffer.getvalue()


def many_members(rng, made):
    made.content = zipped({f"{n}.csv": made.content[:200] for n in range(rng.choice((2, 40)))})


def encrypted(rng, made):
    in_a_zip(rng, made)
    data = bytearray(made.content)
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(sign)
        while start >= 0:
            data[start + at] |= 1
            start = data.find(sign, start + 4)
    made.content = bytes(data)


def bomb(rng, made):
    """100 MB in 100 KB: of one byte, or of rows; the gzip one may lie about its size."""
    part = rng.choice((b"C", b"CCO,1\n", b"\n", b"(", b'{"smiles": "CCO"}\n'))
    if rng.random() < 0.5:
        made.content = _zip_bomb(part)
        return
    data = bytearray(_gzip_bomb(part))
    if rng.random() < 0.5 and b"\n" not in part:
        data[-4:] = b"\x10\0\0\0"
    made.content = bytes(data)


@cache
def _gzip_bomb(part: bytes) -> bytes:
    return gzip.compress(b"smiles,y\n" + part * (100 * MIB // len(part)), mtime=0)


@cache
def _zip_bomb(part: bytes) -> bytes:
    return zipped({"f.csv": b"smiles,y\n" + part * (100 * MIB // len(part))})


def lying_zip(rng, made):
    """The sizes of a member are not what the directory says."""
    in_a_zip(rng, made)
    data = bytearray(made.content)
    start = data.rfind(b"PK\x01\x02")
    if start >= 0:
        struct.pack_into("<I", data, start + 24, rng.choice((0, 1, 0xFFFFFFF0)))
    made.content = bytes(data)


OF_BYTES = (
    cut,
    beheaded,
    bytes_flipped,
    nuls,
    a_piece_repeated,
    a_piece_lost,
    other_magic,
    noise,
    noise_inside,
)
OF_TEXT = (
    encoding_changed,
    foreign_letters,
    line_ends_changed,
    quotes_broken,
    lines_shuffled,
    lines_lost,
    no_first_line,
    one_line_only,
    blank_and_comment_lines,
    trailing_separators,
    blanks_everywhere,
    separators_changed,
    a_huge_cell,
    said_wrongly,
    wrong_ending,
)
OF_TABLES = (
    columns_swapped,
    columns_doubled,
    a_column_lost,
    header_renamed,
    rows_ragged,
    odd_cells,
    odd_cells,
    thousands_of_columns,
    one_column_only,
    constant_and_empty,
    roles_said,
)
OF_FORMAT = (
    sdf_records_broken,
    parts_damaged,
    parts_damaged,
    deep_json,
    objects_broken,
    a_huge_cell,
)
PACKED = (
    gzipped,
    in_a_zip,
    truncated_gzip,
    damaged_gzip,
    damaged_zip,
    nested,
    many_members,
    encrypted,
    bomb,
    lying_zip,
)
#: of those the worst for a process: memory, recursion, native parsers
WORST = (
    bomb,
    deep_json,
    a_huge_cell,
    parts_damaged,
    bytes_flipped,
    odd_cells,
    sdf_records_broken,
    thousands_of_columns,
    lying_zip,
    noise,
)
