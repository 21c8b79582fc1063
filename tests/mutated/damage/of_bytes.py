"""Bytes cut, flipped, lost, repeated, and other beginnings."""

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


KINDS = (
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
