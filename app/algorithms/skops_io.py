"""skops without torch.

skops lists scikit-learn's public estimators when it is imported, for which scikit-learn walks
through all of its packages; one of them, for arrays of torch, imports torch: two seconds and
170 MB of a process that may never need it.
"""

import sys
from typing import Any

_FOR_TORCH = (
    "sklearn.externals.array_api_compat.torch",
    "sklearn.externals.array_api_compat.dask",
    "sklearn.externals.array_api_compat.cupy",
)


def skops_io() -> Any:
    """`skops.io`; whoever needs torch imports it later as always."""
    first = "skops.io" not in sys.modules
    hidden = [name for name in _FOR_TORCH if first and name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # what is not to be imported
    try:
        import skops.io  # a statement, which MLflow notices

        return skops.io
    finally:
        for name in hidden:
            del sys.modules[name]
