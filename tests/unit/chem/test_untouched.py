"""What steps of standardization are skipped on is what they would have left alone."""

import pytest

from app.chem import standardize as module
from app.chem.standardize import ChemistryError, standardize
from tests.support.molecules import rows_of

TRICKY = [
    "Cl", "[Na]", "CN(=O)=O", "CS(C)=O", "C[N+](=O)[O-]", "CN=[N+]=[N-]", "O=n1ccccc1", "C[2H]",
    "CC(=O)O[Na]", "[O-]c1ccccc1C(=O)O", "C[N+](C)(C)CC(=O)[O-]", "C[Hg]C", "*CC", "C=[N+]=[N-]",
    "O=S(=O)(O)c1ccccc1[O-]", "OP(=O)(O)O", "C[Si](C)(C)C", "[13CH3]O", "F/C=C/F", "C[C@@H](N)O",
    "O=[N+]([O-])c1ccccc1C(=O)O", "[O-][N+](=O)c1ccc([O-])cc1", "CO[N+](=O)[O-]", "C[N+]([O-])=O",
    "O=[N+]([O-])N(C)C", "[O-][N+](=O)[O-]", "O=[N+]([O-])c1cc[n+]([O-])cc1", "CC(=[N+]([O-])O)C",
    "C[N+](C)(C)Cc1ccc([N+](=O)[O-])cc1", "N#[N+]c1ccc([N+](=O)[O-])cc1", "O=[N+]([O-])[CH-]C=O",
    "O=[N+]([O-])c1ccccc1S(C)=O", "O=[N+]([O-])c1ccc(O)cc1.[Na+]", "[NH3+]c1ccc([N+](=O)[O-])cc1",
]  # fmt: skip


def found(smiles):
    try:
        done = standardize(smiles)
    except ChemistryError as error:
        return str(error)
    return done.smiles, done.changes, done.mol.ToBinary()


def test_every_step_run_gives_the_same(monkeypatch):
    texts = [*TRICKY, *(row["smiles"] for row in rows_of("hiv.csv.gz")[::40])]
    texts += [row["smiles"] for row in rows_of("hiv.csv.gz")[:9000] if "[N+](" in row["smiles"]]
    quick = [found(text) for text in texts]
    monkeypatch.setattr(module, "_untouched", lambda text: None)
    monkeypatch.setattr(module, "_MAY_ACT", {})
    assert [found(text) for text in texts] == quick


@pytest.mark.parametrize("text", ["Oc1ccccc1", "C[C@H](N)C(=O)O", "CCO", "O=[N+]([O-])c1ccccc1O"])
def test_plain_molecules_take_the_short_way(text):
    assert module._untouched(text) is not None
