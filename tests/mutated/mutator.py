"""Seeded damage: what disks, mail programs, editors and enemies do to a file."""

import random
from collections.abc import Callable

from tests.mutated.bases import Base, bases
from tests.mutated.damage import of_bytes, of_formats, of_packed, of_tables, of_text
from tests.mutated.mutant import Mutant

#: the worst for a process: memory, recursion, native parsers
WORST = (
    of_packed.bomb,
    of_formats.deep_json,
    of_text.a_huge_cell,
    of_formats.parts_damaged,
    of_bytes.bytes_flipped,
    of_tables.odd_cells,
    of_formats.sdf_records_broken,
    of_tables.thousands_of_columns,
    of_packed.lying_zip,
    of_bytes.noise,
)


def mutant(seed: int) -> Mutant:
    """The same seed gives the same file. One to three kinds of damage; some are packed."""
    rng = random.Random(seed)
    base: Base = rng.choice(bases())
    made = Mutant(base.name, base.content, base.rows)
    made.how.append(base.name)
    if made.rows and rng.random() < 0.35:
        _apply(rng, made, rng.choice(of_tables.KINDS))
    kinds = rng.choices(
        (of_bytes, of_text, of_formats, of_packed), (4, 5, 3, 3), k=rng.choice((1, 1, 2))
    )
    for kind in kinds:
        _apply(rng, made, rng.choice(kind.KINDS))
    return made


def _apply(
    rng: random.Random, made: Mutant, damage: Callable[[random.Random, Mutant], None]
) -> None:
    damage(rng, made)
    made.how.append(damage.__name__)
