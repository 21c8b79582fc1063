"""A LightGBM booster that takes only the columns that its trees look at.

A booster makes a list of each row's numbers before it asks its trees: of 2,055 columns, where 80
small trees look at 90, that is most of the time. The trees stay as they are; their columns get new
numbers in the text that LightGBM itself writes and reads.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: lines with one entry for each column
_PER_COLUMN = ("feature_names", "feature_infos", "monotone_constraints")


def used_columns(booster: Any) -> NDArray[np.int64]:
    """In ascending order."""
    return np.flatnonzero(booster.feature_importance("split")).astype(np.int64)


def with_columns(booster: Any, columns: NDArray[np.int64]) -> Any:
    """The booster for X[:, columns] (ascending; all that it uses, and maybe others). Its numbers
    are those of `booster` for X, to the last bit. Raises ValueError where one that it uses is
    missing.
    """
    import lightgbm

    missing = np.setdiff1d(used_columns(booster), columns)
    if len(missing):
        raise ValueError(f"the booster looks at columns {missing.tolist()} too")
    places = {str(column): str(place) for place, column in enumerate(columns)}
    lines = [_renumbered(line, columns, places) for line in booster.model_to_string().split("\n")]
    # without the sizes of the trees' texts, which changed, they are read one after the other
    text = "\n".join(line for line in lines if not line.startswith("tree_sizes="))
    return lightgbm.Booster(model_str=text)


def _renumbered(line: str, columns: NDArray[np.int64], places: dict[str, str]) -> str:
    name, _, values = line.partition("=")
    if name == "split_feature":
        return f"{name}={' '.join(places[number] for number in values.split())}"
    if name == "max_feature_idx":
        return f"{name}={len(columns) - 1}"
    if name in _PER_COLUMN and values:
        each = values.split(" ")
        return f"{name}={' '.join(each[column] for column in columns)}"
    return line
