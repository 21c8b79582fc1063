"""Which structure a text means, asked of a worker: the gateway cannot read SMILES."""

from typing import Any

from app.core.errors import InvalidInput
from app.core.names import shown
from app.resources import Resources


def standardized(resources: Resources, payload: dict[str, Any]) -> dict[str, Any]:
    """`payload`: {"smiles"}; the answer: {"canonical_smiles"}. Raises InvalidInput with the reason
    for what is no structure.
    """
    from app.chem.standardize import ChemistryError, standardize

    del resources
    smiles = payload["smiles"]
    try:
        return {"canonical_smiles": standardize(smiles).smiles}
    except ChemistryError as error:
        raise InvalidInput(
            f"{shown(smiles)} is no structure: {error}",
            remedy="Send the SMILES that was predicted, or any other of the same molecule.",
        ) from error
