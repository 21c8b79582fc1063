"""A worker says which structure a text means."""

import pytest

from app.core.errors import InvalidInput
from app.history.structures import standardized
from tasks.interactive import QUESTIONS


@pytest.mark.parametrize("smiles", ["OCC", "C(O)C", "[CH3][CH2][OH]", " CCO "])
def test_every_spelling_is_one_structure(smiles):
    answer = QUESTIONS["standardize"](None, {"question": "standardize", "smiles": smiles})
    assert answer == {"canonical_smiles": "CCO"}


def test_what_is_no_structure_says_why():
    with pytest.raises(InvalidInput, match=r"C1CC.*syntax"):
        standardized(None, {"smiles": "C1CC("})
