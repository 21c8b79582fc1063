"""Estimators of our own in one file: arrays and a few plain values, never pickled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

_KEY = "values"


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
    """`values`: what JSON can say."""
    from safetensors.numpy import save_file

    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()
    save_file(whole, path, metadata={_KEY: text})


def load_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What `save_arrays` wrote."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        return arrays, orjson.loads(file.metadata()[_KEY])
