"""What a column of a Morgan fingerprint stands for: the atom environments that fall on it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.chem.drawing import tidy
from app.chem.standardize import parse_standardized

_SIZE = (200, 150)
#: (SMILES, middle atom, radius)
Environment = tuple[str, int, int]


@dataclass(frozen=True, kw_only=True)
class ColumnEnvironments:
    #: molecules that have one of them
    molecules: int
    #: different environments that share the column, most frequent first: one place of each
    places: list[Environment]


def column_environments(
    smiles: Sequence[str], generator: Any, size: int, columns: Sequence[int]
) -> dict[int, ColumnEnvironments]:
    """For each of `columns` of a fingerprint with `size` columns what is hashed to it in the
    standardized `smiles`. An environment has a 32-bit number (Rogers & Hahn 2010), its column is
    the remainder by `size`: different numbers on one column are different substructures.
    `generator`: app/featurizers/morgan_generator.py.
    """
    from rdkit.Chem import rdFingerprintGenerator

    asked = set(columns)
    molecules: Counter[int] = Counter()
    occurrences: Counter[int] = Counter()
    first: dict[int, Environment] = {}
    for text in smiles:
        output = rdFingerprintGenerator.AdditionalOutput()
        output.AllocateBitInfoMap()
        generator.GetSparseFingerprint(parse_standardized(text), additionalOutput=output)
        found = {n: w for n, w in output.GetBitInfoMap().items() if n % size in asked}
        molecules.update({number % size for number in found})
        for number, where in found.items():
            occurrences[number] += len(where)
            first.setdefault(number, (text, *where[0]))
    ranked = sorted(first, key=lambda number: (-occurrences[number], number))
    return {
        column: ColumnEnvironments(
            molecules=molecules[column],
            places=[first[number] for number in ranked if number % size == column],
        )
        for column in columns
    }


def draw_environment(place: Environment) -> str:
    """An <svg> element: the environment with its middle atom marked; what is around it in grey."""
    from rdkit.Chem.Draw import DrawMorganEnv, rdMolDraw2D

    smiles, atom, radius = place
    options: Any = rdMolDraw2D.MolDrawOptions()
    options.clearBackground = False
    options.fixedBondLength = 26
    # untyped in RDKit
    drawing: Any = DrawMorganEnv
    return tidy(
        drawing(parse_standardized(smiles), atom, radius, molSize=_SIZE, drawOptions=options)
    )
