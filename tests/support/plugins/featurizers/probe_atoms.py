"""The number of heavy atoms; slowly, and for three molecules the end of the process."""

import os
import re
import time
from typing import Any

import numpy as np
from pydantic import Field
from rdkit import Chem

from app.core.plugin import PluginParams
from app.featurizers.base import Featurizer, featurizers

#: canonical SMILES -> what it does
CRASHES = "FC(F)(F)I"
HANGS = "ClC(Cl)(Cl)I"
EATS_MEMORY = "BrC(Br)(Br)I"


@featurizers.register
class ProbeAtoms(Featurizer):
    name = "probe_atoms"
    summary = "Heavy atom count, slowly; ends the process on three molecules"
    reference = "RDKit GetNumHeavyAtoms"
    output = "floats"

    class Params(PluginParams):
        seconds: float = Field(default=0.0, ge=0)
        #: makes another feature set, which is not cached yet
        salt: int = 0

    def columns(self) -> list[str]:
        return ["heavy_atoms"]

    def featurize_one(self, mol: Any) -> Any:
        time.sleep(self.params.seconds)
        smiles = Chem.MolToSmiles(mol)
        if smiles == CRASHES:
            os.abort()
        elif smiles == HANGS:
            re.match(r"(a+)+$", "a" * 60 + "b")  # for years, with the interpreter lock held
        elif smiles == EATS_MEMORY:
            hoard = []
            while True:
                hoard.append(bytearray(64 << 20))
                time.sleep(0.02)
        return np.array([mol.GetNumHeavyAtoms()], dtype=np.float32)
