"""What a model is asked about, from a file's rows or from JSON: molecules, or rows of a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import FieldError, InvalidInput
from app.core.names import near
from app.datasets.cells import read_cell, read_value
from app.datasets.columns import Column
from app.datasets.parts import Layout, structures_of
from app.features.cells import Value
from app.features.compute import MoleculeCache
from app.models.bundle import BundlePredictions, ModelBundle, Row


def check_columns(bundle: ModelBundle, layout: Layout) -> None:
    """Raises InvalidInput when the file lacks a column that the model learned from."""
    known = [column["name"] for column in layout.columns]
    missing = [c["name"] for c in bundle.manifest.columns if c["name"] not in known]
    if missing:
        raise InvalidInput(
            f"the file lacks {len(missing)} of the model's columns: "
            + ", ".join(map(repr, missing[:20])),
            code="missing_columns",
            remedy="Name the columns as in the training file, and leave cells empty where a value"
            f" is not known. The file's columns are: {', '.join(map(repr, known[:50]))}.",
            errors=[
                FieldError(pointer=f"/columns/{name}", code="missing", detail=_nearest(name, known))
                for name in missing[:20]
            ],
        )


def predict_part(
    bundle: ModelBundle,
    layout: Layout,
    batch: Sequence[dict[str, Any]],
    cache: MoleculeCache | None,
) -> BundlePredictions:
    """Rows of a part (app/datasets/parts.py), at least one: the same to the last bit whatever other
    rows of the file are among them.
    """
    columns, first_row = _columns(bundle), batch[0]["__row__"] - 1
    rows = [
        row["__reason__"]
        or _read({c["name"]: read_cell(c, row[c["name"]], layout.decimal) for c in columns})
        for row in batch
    ]
    if not bundle.needs_structures:
        return bundle.predict_rows(rows, first_row)
    structures = structures_of(batch, layout)
    return bundle.predict_standardized(structures, len(batch), cache, rows, first_row)


def predict_given(
    bundle: ModelBundle, inputs: Sequence[Mapping[str, Any]], cache: MoleculeCache
) -> BundlePredictions:
    """JSON inputs: {"smiles"}, {"features": {column: value}}, or both where the model learned from
    molecules beside columns. Raises InvalidInput when they are not of the model's kind; a molecule
    or row that cannot be predicted has its reason.
    """
    check_kind(bundle, inputs)
    rows = rows_of(bundle, inputs)
    if bundle.needs_structures:
        return bundle.predict([given["smiles"] for given in inputs], cache, rows)
    return bundle.predict_rows(rows)


def rows_of(bundle: ModelBundle, inputs: Sequence[Mapping[str, Any]]) -> list[Row]:
    """What each input says of the model's columns, or why that cannot be read."""
    columns = _columns(bundle)
    return [_given(given["features"], columns) if columns else {} for given in inputs]


def check_kind(bundle: ModelBundle, inputs: Sequence[Mapping[str, Any]]) -> None:
    """Raises InvalidInput (`wrong_input`) where inputs are not of the model's kind: what is missing
    would be guessed, what is too much would be ignored.
    """
    needed = {"smiles": bundle.needs_structures, "features": bool(bundle.manifest.columns)}
    wrong = [
        (f"/inputs/{number}/{field}", "missing" if wanted else "unexpected")
        for number, given in enumerate(inputs)
        for field, wanted in needed.items()
        if (given.get(field) is not None) != wanted
    ]
    if wrong:
        written = {"smiles": '"smiles": "..."', "features": '"features": {...}'}
        what = ", ".join(written[field] for field, wanted in needed.items() if wanted)
        columns = f"Its columns are: {_listed(bundle)}."
        raise InvalidInput(
            f"the model {bundle.manifest.name!r} predicts from {{{what}}}",
            code="wrong_input",
            remedy=columns if bundle.manifest.columns else "Send SMILES.",
            errors=[
                FieldError(pointer=pointer, code=code, detail=f"{code} here")
                for pointer, code in wrong[:20]
            ],
        )


def _given(features: Mapping[str, Any], columns: Sequence[Column]) -> Mapping[str, Value] | str:
    known = [column["name"] for column in columns]
    for name in features:
        if name not in known:
            return f"the model has no column {name!r}; {_nearest(name, known)}"
    for name in known:
        if name not in features:
            return f"the column {name!r} is missing; null says that its value is not known"
    return _read(
        {column["name"]: read_value(column, features[column["name"]]) for column in columns}
    )


def _read(cells: Mapping[str, tuple[Value, str | None]]) -> Mapping[str, Value] | str:
    """The values, or why a cell cannot be read."""
    wrong = [why for _, why in cells.values() if why is not None]
    return "; ".join(wrong[:3]) if wrong else {name: value for name, (value, _) in cells.items()}


def _columns(bundle: ModelBundle) -> list[Column]:
    columns: list[Any] = [{**column, "role": "feature"} for column in bundle.manifest.columns]
    return columns


def _nearest(name: str, known: Sequence[str]) -> str:
    found = near(name, known)
    return f"nearest: {', '.join(map(repr, found))}" if found else f"it has {len(known)} others"


def _listed(bundle: ModelBundle) -> str:
    return ", ".join(repr(column["name"]) for column in bundle.manifest.columns[:50])
