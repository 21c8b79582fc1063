"""Archives: damaged, nested, encrypted, bombs."""

import gzip
import io
import struct
import tarfile
from functools import cache

from tests.mutated.bases import zipped
from tests.mutated.damage.of_bytes import a_piece_lost, bytes_flipped, cut, nuls

_MIB = 1 << 20


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
    return gzip.compress(b"smiles,y\n" + part * (100 * _MIB // len(part)), mtime=0)


@cache
def _zip_bomb(part: bytes) -> bytes:
    return zipped({"f.csv": b"smiles,y\n" + part * (100 * _MIB // len(part))})


def lying_zip(rng, made):
    """The sizes of a member are not what the directory says."""
    in_a_zip(rng, made)
    data = bytearray(made.content)
    start = data.rfind(b"PK\x01\x02")
    if start >= 0:
        struct.pack_into("<I", data, start + 24, rng.choice((0, 1, 0xFFFFFFF0)))
    made.content = bytes(data)


KINDS = (
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
