"""What an answer takes, whichever model gives it: libraries that take seconds to load."""

import importlib

from app.algorithms.skops_io import skops_io
from app.chem.standardize import standardize

#: LightGBM knows the expected errors; skops (below) brings scikit-learn and SciPy
_EVERY_MODEL = ("rdkit.Chem.MolStandardize.rdMolStandardize", "lightgbm")


def load_libraries() -> None:
    """Before the first question, or the first row, waits for them."""
    for name in _EVERY_MODEL:
        importlib.import_module(name)
    skops_io()
    standardize("CCO")  # makes the patterns that it looks for
