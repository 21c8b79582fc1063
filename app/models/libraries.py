"""What an answer takes, whichever model gives it: libraries that take seconds to load."""

import importlib

from app.chem.standardize import standardize

#: skops brings scikit-learn, SciPy and torch; LightGBM knows the expected errors
_EVERY_MODEL = ("rdkit.Chem.MolStandardize.rdMolStandardize", "skops.io", "lightgbm")


def load_libraries() -> None:
    """Before the first question, or the first row, waits for them."""
    for name in _EVERY_MODEL:
        importlib.import_module(name)
    standardize("CCO")  # makes the patterns that it looks for
