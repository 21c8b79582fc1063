"""What becomes a data set, as bytes of a CSV file, and what a file is called."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from retort.inputs import is_frame, is_mol, plain, smiles_of


class Uploadable:
    """A named stream that can be read more than once: a file, or a table from memory."""

    def __init__(self, name: str, path: Path | None, content: bytes = b"") -> None:
        self.name = name
        self.path = path
        self._content = content

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path else len(self._content)

    def open(self) -> BinaryIO:
        return self.path.open("rb") if self.path else io.BytesIO(self._content)


def uploadable(data: Any, name: str | None = None) -> Uploadable:
    """A path as it is; a DataFrame (pandas, polars), a list of dicts, of SMILES or of RDKit
    molecules as CSV. Raises TypeError for anything else, FileNotFoundError.
    """
    if isinstance(data, str | Path):
        path = Path(data).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        return Uploadable(path.name, path)
    if isinstance(data, bytes | bytearray):
        return Uploadable(name or "data.csv", None, bytes(data))
    stem = (name or "data").removesuffix(".csv")
    return Uploadable(f"{stem}.csv", None, _csv(data).encode())


def _csv(data: Any) -> str:
    if is_frame(data):
        if hasattr(data, "write_csv"):
            return str(data.write_csv())
        return str(data.to_csv(index=False))
    rows = [_row(value) for value in data]
    names = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _row(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"smiles": value}
    if is_mol(value):
        return {"smiles": smiles_of(value), **value.GetPropsAsDict()}
    if isinstance(value, Mapping):
        return {str(name): plain(cell) for name, cell in value.items()}
    raise TypeError(
        "a data set is made of a path, a DataFrame, or a list of dicts, SMILES or RDKit molecules,"
        f" not of {type(value).__name__}"
    )


def slug(file_name: str) -> str:
    """A data set name from a file name: `My Mols_2.csv.gz` becomes `my-mols_2`."""
    stem = file_name.lower().split(".")[0]
    plain = (c if c.isascii() and (c.isalnum() or c == "_") else "-" for c in stem)
    name = "".join(plain).strip("-_")
    return name[:63] or "dataset"
