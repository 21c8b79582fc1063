"""Files of molecules for the benchmarks: HIV, and the same molecules written in other ways."""

import csv
import random
from pathlib import Path

from benchmarks.cluster import hiv_smiles

HIV_ROWS = 41_913


def enumerated(folder: Path, rows: int) -> Path:
    """A CSV of so many: those of HIV first, then again in other atom orders (RDKit's doRandom)."""
    from rdkit import Chem, rdBase

    path = folder / f"hiv-{rows}.csv"
    if path.exists():
        return path
    smiles = hiv_smiles()
    chosen = smiles[:rows]
    choose = random.Random(0)
    rdBase.SeedRandomNumberGenerator(0)
    seen = set(smiles)
    with rdBase.BlockLogs():
        while len(chosen) < rows:
            mol = Chem.MolFromSmiles(choose.choice(smiles))
            text = "" if mol is None else Chem.MolToSmiles(mol, doRandom=True)
            if text and text not in seen:
                seen.add(text)
                chosen.append(text)
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["id", "smiles"])
        writer.writerows((f"m{n}", text) for n, text in enumerate(chosen))
    return path
