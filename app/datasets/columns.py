"""What a column is for, guessed from its name and its first rows; a person may say otherwise."""

import re
from collections.abc import Sequence

from typing_extensions import TypedDict

from app.core.errors import InvalidInput, UnknownName
from app.datasets.params import ColumnRole

#: column that readers add for the structure of an SDF record
STRUCTURE = "__structure__"
_SAMPLE_PARSED = 50
_MIN_PARSED = 0.5
_MIN_NUMERIC = 0.5
_ID_NAME = re.compile(r"(^|[_\s.-])(id|name|code|identifier|iupac|cmpd.*id|mol_id)$", re.IGNORECASE)
_SPLIT_NAMES = frozenset({"split", "set", "fold", "subset", "partition"})
_MAX_CLASSES = 20


class Column(TypedDict):
    """As the dataset's row keeps it; `type`: structure, number, binary, class, text."""

    name: str
    role: ColumnRole
    type: str


def guess_columns(
    names: Sequence[str],
    sample: Sequence[dict[str, str]],
    overrides: dict[str, ColumnRole],
    *,
    smiles_column: str | None = None,
) -> list[Column]:
    """Roles and types from the first rows. Raises UnknownName for an override of a column that is
    not there, InvalidInput when no column holds structures.
    """
    _check_overrides(names, overrides)
    structure = smiles_column or _structure_column(names, sample, overrides)
    columns: list[Column] = []
    for name in names:
        values = [row[name].strip() for row in sample if (row.get(name) or "").strip()]
        kind = "structure" if name == structure else column_type(values)
        if name == structure:
            role: ColumnRole = "smiles"
        else:
            role = overrides.get(name) or _guess_role(name, kind, values)
        columns.append(Column(name=name, role=role, type=kind))
    return _one_id(columns, overrides)


def column_type(values: Sequence[str]) -> str:
    """number, binary (two values), class (a few words), or text."""
    distinct = set(values)
    numeric = sum(is_number(value) for value in values)
    if values and numeric >= _MIN_NUMERIC * len(values):
        numbers = {float(value) for value in distinct if is_number(value)}
        return "binary" if numbers <= {0.0, 1.0} and len(numbers) > 1 else "number"
    if len(distinct) == 2:  # noqa: PLR2004 - two values
        return "binary"
    return "class" if 0 < len(distinct) <= _MAX_CLASSES and len(distinct) < len(values) else "text"


def is_number(text: str) -> bool:
    """A finite decimal number with a point (`1e-3` too)."""
    try:
        value = float(text)
    except ValueError:
        return False
    return value == value and abs(value) != float("inf")  # noqa: PLR0124 - NaN


def _check_overrides(names: Sequence[str], overrides: dict[str, ColumnRole]) -> None:
    for name in overrides:
        if name not in names:
            raise UnknownName(
                f"the file has no column {name!r}",
                remedy=f"Its columns are: {', '.join(map(repr, names[:50]))}.",
            )
    chosen = [name for name, role in overrides.items() if role == "smiles"]
    if len(chosen) > 1:
        raise InvalidInput(
            f"two columns have the role smiles: {', '.join(chosen)}",
            remedy="Give that role to one column.",
        )


def _structure_column(
    names: Sequence[str], sample: Sequence[dict[str, str]], overrides: dict[str, ColumnRole]
) -> str:
    for name, role in overrides.items():
        if role == "smiles":
            return name
    if STRUCTURE in names:
        return STRUCTURE
    free = [name for name in names if name not in overrides]
    rates = {name: _parse_rate(name, sample) for name in free}
    best = max(rates.values(), default=0.0)
    if best < _MIN_PARSED:
        raise InvalidInput(
            "no column holds SMILES that RDKit can read",
            code="no_structure_column",
            remedy=f'Name the column: roles {{"<column>": "smiles"}}. The file\'s columns are: '
            f"{', '.join(map(repr, names[:50]))}.",
        )
    near_best = [name for name in free if rates[name] >= 0.9 * best]
    named = [name for name in near_best if "smiles" in name.lower()]
    return min(named or near_best, key=lambda name: (-rates[name], len(name)))


def _parse_rate(name: str, sample: Sequence[dict[str, str]]) -> float:
    """Share of the values that read as molecules; plain numbers and short words do not count."""
    from rdkit import Chem

    from app.chem.standardize import quiet

    quiet()
    values = [v for row in sample if (v := (row.get(name) or "").strip())][:_SAMPLE_PARSED]
    if not values:
        return 0.0
    read = [
        not is_number(value) and Chem.MolFromSmiles(value, sanitize=False) is not None
        for value in values
    ]
    rate = sum(read) / len(values)
    return rate + 0.2 if "smiles" in name.lower() and rate > 0 else rate


def _guess_role(name: str, kind: str, values: Sequence[str]) -> ColumnRole:
    if name.strip().lower() in _SPLIT_NAMES and kind in ("class", "binary"):
        return "split"
    if _ID_NAME.search(name.strip()) and len(set(values)) > 0.5 * len(values):
        return "id"
    return "target" if kind in ("number", "binary") else "ignore"


def _one_id(columns: list[Column], overrides: dict[str, ColumnRole]) -> list[Column]:
    """The first identifier stays one; a person's choice wins."""
    chosen = [name for name, role in overrides.items() if role == "id"]
    ids = [column["name"] for column in columns if column["role"] == "id"]
    keep = (chosen or ids)[:1]
    return [
        Column(name=c["name"], role="ignore", type=c["type"])
        if c["role"] == "id" and c["name"] not in keep
        else c
        for c in columns
    ]
