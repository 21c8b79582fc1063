"""What a column is for, guessed from its name and its first rows; a person may say otherwise."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from app.core.errors import FieldError, InvalidInput, UnknownName
from app.core.names import near
from app.datasets.dates import date_format
from app.datasets.numbers import Decimal, is_number, parse_number
from app.datasets.params import ColumnRole
from app.datasets.structures import sounds_like_structure, structure_rate
from app.datasets.units import unit_of

#: column that readers add for the structure of an SDF record
STRUCTURE = "__structure__"
#: columns that clean.parquet adds; a column of the file with such a name is stored with a `_`
RESERVED = frozenset({"row", "smiles", "input_smiles", "n_merged", "merged_rows"})
#: the words for "no value here" in features; of targets, more words mean that (cells.py)
BLANK = frozenset({"", "na", "n/a", "nan", "null", "?"})

DatasetKind = Literal["molecule", "table"]

_MIN_PARSED = 0.5
_MIN_NUMERIC = 0.5
_ID_NAME = re.compile(r"(^|[_\s.-])(id|name|code|identifier|iupac|cmpd.*id|mol_id)$", re.IGNORECASE)
_CAMEL_ID = re.compile(r"[a-z](ID|Id)$")
_SPLIT_NAMES = frozenset({"split", "set", "fold", "subset", "partition"})
_TARGET_NAMES = frozenset({"target", "label", "class", "outcome", "y", "churn", "response"})
_MAX_CLASSES = 20
#: in a table a word column with more different words is free text
_MAX_WORDS = 200
_MAX_WORD_SHARE = 0.5
_SHOWN = 50
_NAMED = 5


class Column(TypedDict):
    """As the data set's row keeps it. `type`: structure, number, binary, class, date, text."""

    name: str
    role: ColumnRole
    type: str
    #: of the numbers, as the header or a person says
    unit: NotRequired[str]
    #: how dates are written (app/datasets/dates.py)
    format: NotRequired[str]


def stored_name(name: str) -> str:
    """The column's name in clean.parquet."""
    return f"{name}_" if name in RESERVED else name


def kind_of(columns: Iterable[Mapping[str, Any]]) -> DatasetKind:
    return "molecule" if any(column["role"] == "smiles" for column in columns) else "table"


def guess_columns(
    names: Sequence[str],
    sample: Sequence[dict[str, str]],
    overrides: Mapping[str, ColumnRole],
    *,
    kind: Literal["auto", "molecule", "table"] = "auto",
    decimal: Decimal = ".",
    units: Mapping[str, str] | None = None,
    to_learn: bool = True,
) -> list[Column]:
    """Roles, types and units from the first rows; `kind_of` the result says what the rows are.

    Raises UnknownName for an override of a column that is not there, InvalidInput when roles
    contradict each other, no column holds structures (kind `molecule`, or a column that is named
    like one), or none could be learned from
    (a table, and `to_learn`).
    """
    _check_overrides(names, overrides, kind)
    _check_known(names, units or {}, "units")
    values = {name: _values(name, sample) for name in names}
    rates = {} if kind == "table" else _structure_rates(values)
    structure = _structure_column(names, rates, overrides, kind)
    columns = []
    for name in names:
        column = _typed(name, values[name], decimal, units or {})
        if name == structure:
            column |= {"role": "smiles", "type": "structure"}
        elif structure is not None and name in rates:
            column |= {"type": "structure"}
        columns.append(column)
    for column in columns:
        if column["name"] != structure:
            column["role"] = overrides.get(column["name"]) or _role(
                column, values[column["name"]], in_table=structure is None
            )
        if column["role"] == "weight":
            column["type"] = "number"  # 0 and 1 too
    columns = _one_id(columns, overrides)
    return _one_target(columns, overrides) if structure is None and to_learn else columns


def column_type(values: Sequence[str], decimal: Decimal = ".") -> str:
    """number, binary (two values), date, class (a few words), or text."""
    distinct = set(values)
    numeric = sum(is_number(value, decimal) for value in values)
    if values and numeric >= _MIN_NUMERIC * len(values):
        numbers = {parse_number(value, decimal) for value in distinct} - {None}
        return "binary" if numbers <= {0.0, 1.0} and len(numbers) > 1 else "number"
    if len(distinct) == 2:  # noqa: PLR2004 - two values
        return "binary"
    if date_format(list(distinct)[:_SHOWN]) and date_format(list(distinct)):
        return "date"
    return "class" if 0 < len(distinct) <= _MAX_CLASSES and len(distinct) < len(values) else "text"


def _typed(name: str, values: Sequence[str], decimal: Decimal, units: Mapping[str, str]) -> Column:
    column = Column(name=name, role="ignore", type=column_type(values, decimal))
    unit = units.get(name) or unit_of(name)
    if unit is not None and column["type"] == "number":
        column["unit"] = unit
    if column["type"] == "date":
        column["format"] = date_format(sorted(set(values))) or "iso"
    return column


def _values(name: str, sample: Sequence[dict[str, str]]) -> list[str]:
    """The cells that hold something."""
    cells = ((row.get(name) or "").strip() for row in sample)
    return [cell for cell in cells if cell.lower() not in BLANK]


# ---- what a person said


def _check_overrides(names: Sequence[str], overrides: Mapping[str, ColumnRole], kind: str) -> None:
    _check_known(names, overrides, "roles")
    _one_at_most("weight", overrides)
    chosen = _one_at_most("smiles", overrides)
    if chosen and kind == "table":
        raise InvalidInput(
            f"the column {chosen[0]!r} has the role smiles, but the kind is table",
            code="conflicting_roles",
            remedy="Leave out `kind`, or give the column another role.",
            errors=[_about("roles", chosen[0], "conflicting_roles")],
        )


def _one_at_most(role: ColumnRole, overrides: Mapping[str, ColumnRole]) -> list[str]:
    """The columns that a person gave the role."""
    chosen = [name for name, said in overrides.items() if said == role]
    if len(chosen) > 1:
        raise InvalidInput(
            f"two columns have the role {role}: {', '.join(chosen)}",
            code="conflicting_roles",
            remedy="Give that role to one column.",
            errors=[_about("roles", name, "conflicting_roles") for name in chosen],
        )
    return chosen


def _check_known(names: Sequence[str], given: Iterable[str], field: str) -> None:
    """Raises UnknownName for a column that the file does not have."""
    wrong = [name for name in given if name not in names]
    if not wrong:
        return
    close = {name: near(name, names) for name in wrong[:_NAMED]}
    known = list(dict.fromkeys(hit for hits in close.values() for hit in hits)) or names[:_SHOWN]
    raise UnknownName(
        f"the file has no column {', '.join(map(repr, close))}",
        remedy=f"Nearest columns of the file: {', '.join(map(repr, known))}.",
        errors=[
            FieldError(pointer=f"/{field}/{name}", code="unknown_name", detail=_meant(name, hits))
            for name, hits in close.items()
        ],
    )


def _meant(name: str, hits: Sequence[str]) -> str:
    known = f"; nearest: {', '.join(map(repr, hits))}" if hits else ""
    return f"there is no column {name!r}{known}"


def _about(field: str, name: str, code: str) -> FieldError:
    return FieldError(pointer=f"/{field}/{name}", code=code, detail=f"column {name!r}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN]))


# ---- structures


def _structure_rates(values: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Of the columns that look like structures, how many of their cells read as such."""
    return {
        name: rate for name, cells in values.items() if (rate := structure_rate(name, cells)) > 0.0
    }


def _structure_column(
    names: Sequence[str],
    rates: Mapping[str, float],
    overrides: Mapping[str, ColumnRole],
    kind: str,
) -> str | None:
    """None: the rows are no molecules."""
    for name, role in overrides.items():
        if role == "smiles":
            return name
    if kind == "table":
        return None
    if STRUCTURE in names:
        return STRUCTURE
    free = [name for name in names if name not in overrides]
    liked = {
        name: rates[name] + (0.2 if sounds_like_structure(name) else 0.0)
        for name in free
        if name in rates
    }
    best = max(liked.values(), default=0.0)
    if best < _MIN_PARSED:
        _no_structures(names, free, kind)
        return None
    near_best = [name for name in liked if liked[name] >= 0.9 * best]
    named = [name for name in near_best if sounds_like_structure(name)]
    return min(named or near_best, key=lambda name: (-liked[name], len(name)))


def _no_structures(names: Sequence[str], free: Sequence[str], kind: str) -> None:
    """A file with a column named like structures is not quietly read as a plain table."""
    named = [name for name in free if sounds_like_structure(name)]
    if kind == "auto" and not named:
        return
    remedy = f'Name the column: roles {{"<column>": "smiles"}}. Its columns are: {_listed(names)}.'
    if kind == "auto":
        remedy += ' To read it as a table without molecules: "kind": "table".'
    raise InvalidInput(
        f"the column {named[0]!r} holds no SMILES that RDKit can read"
        if named
        else "no column holds SMILES that RDKit can read",
        code="no_structure_column",
        remedy=remedy,
    )


# ---- roles


def _role(column: Column, values: Sequence[str], *, in_table: bool) -> ColumnRole:
    name, kind = column["name"].strip(), column["type"]
    if name.lower() in _SPLIT_NAMES and kind in ("class", "binary"):
        return "split"
    named_id = _ID_NAME.search(name) or _CAMEL_ID.search(name)
    if named_id and len(set(values)) > _MAX_WORD_SHARE * len(values):
        return "id"
    if not in_table:
        return "target" if kind in ("number", "binary") else "ignore"
    return "feature" if values and (kind != "text" or _few_words(values)) else "ignore"


def _few_words(values: Sequence[str]) -> bool:
    distinct = len(set(values))
    return distinct <= _MAX_WORDS and distinct <= _MAX_WORD_SHARE * len(values)


def _one_id(columns: list[Column], overrides: Mapping[str, ColumnRole]) -> list[Column]:
    """The first identifier stays one; a person's choice wins."""
    chosen = [name for name, role in overrides.items() if role == "id"]
    ids = [column["name"] for column in columns if column["role"] == "id"]
    keep = (chosen or ids)[:1]
    for column in columns:
        if column["role"] == "id" and column["name"] not in keep:
            column["role"] = "ignore"
    return columns


def _one_target(columns: list[Column], overrides: Mapping[str, ColumnRole]) -> list[Column]:
    """Of a table: the column that a person chose, else one named like a target, else the last.

    Raises InvalidInput when fewer than two columns could be learned from.
    """
    if "target" not in overrides.values():
        free = [c for c in columns if c["role"] == "feature" and c["name"] not in overrides]
        fit = [c for c in free if c["type"] != "date"]
        named = [c for c in fit if c["name"].strip().lower() in _TARGET_NAMES]
        for column in (named or fit)[-1:]:
            column["role"] = "target"
    roles = {column["role"] for column in columns}
    if not {"target", "feature"} <= roles:
        raise InvalidInput(
            "the file has no column of molecules, and no two columns that a model could learn from",
            code="no_usable_column",
            remedy='Name the structures, roles {"<column>": "smiles"}, or one "target" and at least'
            f' one "feature". Its columns are: {_listed([c["name"] for c in columns])}.',
        )
    return columns
