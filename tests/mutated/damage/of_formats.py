"""SDF records, members of workbooks, JSON."""

import io
import zipfile

from tests.mutated.bases import zipped
from tests.mutated.damage.of_bytes import a_piece_lost, a_piece_repeated, bytes_flipped, cut
from tests.mutated.damage.of_text import a_huge_cell
from tests.mutated.mutant import Mutant


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


KINDS = (
    sdf_records_broken,
    parts_damaged,
    parts_damaged,
    deep_json,
    objects_broken,
    a_huge_cell,
)
