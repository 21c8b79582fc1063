"""Small heads of the shared files, in every format that is read."""

import csv
import gzip
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from functools import cache

import pandas as pd
from rdkit import Chem

from tests.support.molecules import DATA

_ROWS = 14
_RECORDS = 4
_TABLES = {
    "esol.csv": "measured log solubility in mols per litre",
    "freesolv.csv": "expt",
    "hiv.csv.gz": "HIV_active",
    "lipophilicity.csv": "exp",
    "telco_churn.csv": "Churn",
    "tox21.csv.gz": "NR-AR",
}


@dataclass(frozen=True)
class Base:
    name: str
    content: bytes
    #: header and rows, of delimited files
    rows: list[list[str]] = field(default_factory=list)

    @property
    def text(self) -> bool:
        return not self.name.endswith((".xlsx", ".parquet"))


@cache
def bases() -> tuple[Base, ...]:
    made = []
    for name in _TABLES:
        rows = _head(name)
        made.append(Base(name.removesuffix(".gz"), written(rows), rows))
    molecules = [base for base in made if base.name != "telco_churn.csv"]
    made += [other for base in molecules[:2] for other in _formats(base)]
    made += [_sdf("membrane_permeability.sdf"), _mol2(molecules[0])]
    return tuple(made)


def _head(name: str) -> list[list[str]]:
    opener = gzip.open if name.endswith(".gz") else open
    with opener(DATA / name, "rt", newline="") as stream:
        reader = csv.reader(stream)
        return [row for row, _ in zip(reader, range(_ROWS + 1), strict=False)]


def written(rows: list[list[str]], separator: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def zipped(members: dict[str, bytes]) -> bytes:
    """The same members give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _without_times(workbook: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    core = members["docProps/core.xml"]
    members["docProps/core.xml"] = re.sub(
        rb"\d{4}-\d\d-\d\dT[\d:.]+Z", b"2026-01-01T00:00:00Z", core
    )
    return zipped(members)


def _formats(base: Base) -> list[Base]:
    stem = base.name.removesuffix(".csv")
    frame = pd.read_csv(io.BytesIO(base.content))
    excel, parquet = io.BytesIO(), io.BytesIO()
    frame.to_excel(excel, index=False)
    frame.to_parquet(parquet)
    at = base.rows[0].index("smiles")
    smiles = "".join(f"{row[at].strip()} {row[0]}\n" for row in base.rows[1:])
    comma = [[cell.replace(".", ",") for cell in row] for row in base.rows]
    return [
        Base(f"{stem}.xlsx", _without_times(excel.getvalue())),
        Base(f"{stem}.parquet", parquet.getvalue()),
        Base(f"{stem}.jsonl", frame.to_json(orient="records", lines=True).encode()),
        Base(f"{stem}.json", frame.to_json(orient="records", indent=1).encode()),
        Base(f"{stem}.smi", smiles.encode()),
        Base(f"{stem}.tsv", written(base.rows, "\t"), base.rows),
        Base(f"{stem}_comma.csv", written(comma, ";"), comma),
    ]


def _sdf(name: str) -> Base:
    text = gzip.decompress((DATA / f"{name}.gz").read_bytes()).decode()
    records = text.split("$$$$\n")[:_RECORDS]
    return Base(name, "".join(f"{record}$$$$\n" for record in records).encode())


def _mol2(base: Base) -> Base:
    """RDKit writes none: atoms, bonds and types as far as its reader needs them."""
    at = base.rows[0].index("smiles")
    return Base(
        "molecules.mol2", "\n".join(_block(row[at].strip()) for row in base.rows[1:6]).encode()
    )


def _block(smiles: str) -> str:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    Chem.Kekulize(mol, clearAromaticFlags=True)
    atoms = [
        f"{a.GetIdx() + 1} {a.GetSymbol()} 0 0 0 {a.GetSymbol()} 1 U 0" for a in mol.GetAtoms()
    ]
    bonds = [
        f"{n} {b.GetBeginAtomIdx() + 1} {b.GetEndAtomIdx() + 1} {int(b.GetBondTypeAsDouble())}"
        for n, b in enumerate(mol.GetBonds(), start=1)
    ]
    counts = f"{len(atoms)} {len(bonds)} 1"
    head = ["@<TRIPOS>MOLECULE", json.dumps(smiles), counts, "SMALL", "NO_CHARGES", ""]
    return "\n".join([*head, "@<TRIPOS>ATOM", *atoms, "@<TRIPOS>BOND", *bonds, ""])
