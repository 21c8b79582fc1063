"""What people have in hands, as the inputs of a prediction; pandas, polars, RDKit if installed."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: column names that mean a SMILES, in lower case
SMILES_NAMES = ("smiles", "canonical_smiles", "smi", "structure")


def as_inputs(values: Any) -> Iterator[str | dict[str, Any]]:
    """One input for each value: SMILES, {"smiles", "id"}, {"features": row} or both, an RDKit Mol;
    a whole Series or DataFrame gives one for each row. Lazy. Raises TypeError for what is none of
    these.
    """
    if isinstance(values, str) or is_mol(values) or isinstance(values, Mapping):
        values = [values]
    if is_frame(values):
        yield from _rows(values)
        return
    for value in values:
        yield _one(value)


def is_frame(value: Any) -> bool:
    return type(value).__name__ == "DataFrame" and hasattr(value, "columns")


def is_mol(value: Any) -> bool:
    return hasattr(value, "GetNumAtoms") and hasattr(value, "GetPropsAsDict")


def records(frame: Any) -> list[dict[str, Any]]:
    """Rows of a pandas or polars DataFrame, as JSON values."""
    rows = frame.to_dicts() if hasattr(frame, "to_dicts") else frame.to_dict("records")
    return [{str(name): plain(cell) for name, cell in row.items()} for row in rows]


def plain(value: Any) -> Any:
    """A JSON value: missing ones are null, numpy's become Python's, dates ISO 8601."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def smiles_of(mol: Any) -> str:
    from rdkit import Chem

    return str(Chem.MolToSmiles(mol))


def _one(value: Any) -> str | dict[str, Any]:
    if isinstance(value, str):
        return value
    if is_mol(value):
        name = value.GetProp("_Name") if value.HasProp("_Name") else ""
        return {"smiles": smiles_of(value)} | ({"id": name} if name else {})
    if isinstance(value, Mapping):
        known = "smiles" in value or "features" in value
        return dict(value) if known else {"features": {n: plain(v) for n, v in value.items()}}
    if plain(value) is None:
        return ""  # a missing molecule is a row too: its answer says so
    raise TypeError(
        f"a prediction takes SMILES, dicts, RDKit molecules or rows, not {type(value).__name__}"
    )


def _rows(frame: Any) -> Iterable[dict[str, Any]]:
    names = {str(column).lower(): str(column) for column in frame.columns}
    column = next((names[name] for name in SMILES_NAMES if name in names), None)
    key = names.get("id")
    for row in records(frame):
        found: dict[str, Any] = (
            {"features": {n: v for n, v in row.items() if n != key}}
            if column is None
            else {"smiles": row[column] or ""}
        )
        if key is not None and row[key] is not None:
            found["id"] = str(row[key])
        yield found
