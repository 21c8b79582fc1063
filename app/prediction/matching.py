"""Which predicted value belongs to which reference value: by row of one data set, or structure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.prediction.stored_values import StoredColumn

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What both sides have; several values of one structure are their mean."""

    #: row numbers, or SMILES
    ids: list[Any]
    predicted: NDArray[np.float64]
    reference: NDArray[np.float64]
    #: {"by", "both", "only_predicted", "only_reference", "examples": {...}}
    counts: dict[str, Any]


def matched(predicted: StoredColumn, reference: StoredColumn) -> Pairs:
    """Raises InvalidInput where nothing tells what belongs together, or nothing does."""
    by, p_keys, r_keys = _keys(predicted, reference)
    keys, places = np.unique(np.concatenate([p_keys, r_keys]), return_inverse=True)
    p = _means(places[: len(p_keys)], predicted.values, len(keys))
    r = _means(places[len(p_keys) :], reference.values, len(keys))
    in_p = np.isin(keys, p_keys)
    in_r = np.isin(keys, r_keys)
    both = in_p & in_r
    if not both.any():
        raise InvalidInput(
            f"no {by} of {predicted.said} is in {reference.said}",
            remedy="Compare columns of one data set, or of data sets with the same molecules.",
        )
    counts = {
        "by": by,
        "both": int(both.sum()),
        "only_predicted": int((in_p & ~in_r).sum()),
        "only_reference": int((in_r & ~in_p).sum()),
        "examples": {
            "only_predicted": keys[in_p & ~in_r][:_SHOWN].tolist(),
            "only_reference": keys[in_r & ~in_p][:_SHOWN].tolist(),
        },
    }
    return Pairs(ids=keys[both].tolist(), predicted=p[both], reference=r[both], counts=counts)


def _keys(
    predicted: StoredColumn, reference: StoredColumn
) -> tuple[str, NDArray[Any], NDArray[Any]]:
    one_table = predicted.dataset_id is not None and predicted.dataset_id == reference.dataset_id
    # a job predicts the raw file, where replicates are rows of their own
    if one_table and not (predicted.raw or reference.raw):
        return "row", predicted.rows, reference.rows
    if predicted.smiles is not None and reference.smiles is not None:
        return "structure", predicted.smiles, reference.smiles
    if one_table:
        return "row", predicted.rows, reference.rows
    raise InvalidInput(
        f"nothing tells which row of {predicted.said} belongs to which of {reference.said}",
        remedy="Rows are matched by structure; tables only within one data set.",
    )


def _means(
    places: NDArray[np.int64], values: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """(size,): the mean of the known values at each place; NaN where there is none."""
    known = np.isfinite(values)
    total = np.bincount(places[known], weights=values[known], minlength=size)
    number = np.bincount(places[known], minlength=size)
    means: NDArray[np.float64] = np.full(size, np.nan)
    return np.divide(total, number, out=means, where=number > 0)
