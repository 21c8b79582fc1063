"""What the peers serve; imported by their interpreters, with the repository on PYTHONPATH.

`bundle`: the stored model by our own code, so that every server gives the same answer (value,
interval, domain). `plain`: what a user of theirs would write by hand, one number.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

#: SMILES in, an answer for each
Predict = Callable[[Sequence[str]], list[dict[str, Any]]]

FLAVOUR = "PEER_FLAVOUR"
BLOBS = "PEER_BLOBS"
MANIFEST = "PEER_MANIFEST"
PORT = "PEER_PORT"
CORES = "PEER_CORES"


def load_model() -> Predict:
    """As the environment says."""
    flavours = {"bundle": _bundle, "plain": _plain}
    return flavours[os.environ[FLAVOUR]](Path(os.environ[BLOBS]), os.environ[MANIFEST])


def _bundle(blobs: Path, manifest_key: str) -> Predict:
    from app.models.bundle import ModelBundle
    from app.prediction.answers import answer_items
    from app.storage.local import LocalStorage

    bundle = ModelBundle.load(LocalStorage(blobs), manifest_key)

    def predict(smiles: Sequence[str]) -> list[dict[str, Any]]:
        given = [{"smiles": text} for text in smiles]
        return answer_items(bundle, given, bundle.predict(smiles))

    return predict


def _plain(blobs: Path, manifest_key: str) -> Predict:
    import lightgbm
    import numpy as np
    from rdkit import Chem, rdBase
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    rdBase.DisableLog("rdApp.*")
    weights = (blobs / manifest_key).parent / "weights"
    booster = lightgbm.Booster(model_file=next(weights.glob("*.txt")))
    generator = GetMorganGenerator(radius=2, fpSize=2048)

    def predict(smiles: Sequence[str]) -> list[dict[str, Any]]:
        mols = [Chem.MolFromSmiles(text) for text in smiles]
        good = [mol for mol in mols if mol is not None]
        if not good:
            return [{"value": None} for _ in mols]
        X = np.stack([generator.GetFingerprintAsNumPy(mol) for mol in good])
        values = iter(booster.predict(X, num_threads=1).tolist())
        return [{"value": None if mol is None else next(values)} for mol in mols]

    return predict
