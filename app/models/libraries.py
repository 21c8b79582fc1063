"""What reading a model takes, whichever it is: libraries that take seconds to load."""

import importlib

#: skops brings scikit-learn, SciPy and torch; LightGBM knows the expected errors
_EVERY_MODEL = ("rdkit.Chem.MolStandardize.rdMolStandardize", "skops.io", "lightgbm")


def load_libraries() -> None:
    """Before the first question, or the first row, waits for them."""
    for name in _EVERY_MODEL:
        importlib.import_module(name)
