"""Molecules and tables that tests share: real ones, read once."""

import csv
import gzip
from functools import cache
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "examples" / "data"
ESOL_TARGET = "measured log solubility in mols per litre"


@cache
def rows_of(name):
    path = DATA / name
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "rt", newline="") as stream:
        return tuple(csv.DictReader(stream))


@cache
def standardized_esol(limit=None):
    from app.chem.standardize import standardize

    return tuple(standardize(row["smiles"]) for row in rows_of("esol.csv")[:limit])
