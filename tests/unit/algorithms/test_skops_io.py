"""Run in processes of their own: what was imported stays imported."""

import subprocess
import sys

_KNOWN = (
    "from skops.io import _trusted_types as known\n"
    "lists = {name: value for name, value in vars(known).items() if isinstance(value, list)}\n"
    "print(sorted((name, str(value)) for name, value in lists.items()))\n"
)


def _said(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8"
    )
    return done.stdout


def test_torch_is_not_imported_with_it():
    code = (
        "import sys\n"
        "from app.algorithms.skops_io import skops_io\n"
        "skops_io()\n"
        "assert 'skops.io' in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    _said(code)


def test_it_trusts_the_same_types():
    ours = "from app.algorithms.skops_io import skops_io\nskops_io()\n" + _KNOWN
    assert _said(ours) == _said(_KNOWN)


def test_scikit_learn_takes_arrays_of_torch_afterwards():
    code = (
        "from app.algorithms.skops_io import skops_io\n"
        "assert skops_io() is skops_io()\n"
        "import torch\n"
        "from sklearn.externals.array_api_compat import array_namespace\n"
        "print(array_namespace(torch.ones(2)).__name__)\n"
    )
    assert _said(code).strip() == "sklearn.externals.array_api_compat.torch"
