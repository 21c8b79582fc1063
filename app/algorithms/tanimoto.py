"""Tanimoto similarity of counts, for algorithms that compare molecules with each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse

#: a column with larger numbers counts no fragments
_MOST = 255
_FEWEST_SHARE = 0.5


def count_columns(X: NDArray[Any]) -> NDArray[np.bool_]:
    """(width,): columns that hold whole numbers from 0 to 255 only, and not always 0; a missing
    value counts as 0.
    """
    values = np.nan_to_num(np.asarray(X, dtype=np.float32))
    whole = ((values >= 0) & (values <= _MOST) & (values == np.floor(values))).all(axis=0)
    found: NDArray[np.bool_] = whole & values.any(axis=0)
    return found


def mostly_counts(X: NDArray[Any]) -> bool:
    """Whether fingerprints are among the columns, as at least half of those that are not 0."""
    used = np.nan_to_num(np.asarray(X, dtype=np.float32)).any(axis=0).sum()
    return bool(used and count_columns(X).sum() >= _FEWEST_SHARE * used)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Training rows by their count columns; other columns (descriptors) are not looked at."""

    #: (width,) bool: the columns that count
    kept: NDArray[np.bool_]
    #: (n, kept) uint8
    rows: NDArray[np.uint8]

    @classmethod
    def fit(cls, X: NDArray[Any]) -> Self:
        kept = count_columns(X)
        return cls(kept=kept, rows=_whole(X, kept))

    def similarity(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """(len(X), n): sum of the smaller counts / sum of the larger counts, which for bits is the
        Jaccard index (Ralaivola et al. 2005, Neural Netw. 18, 1093); two empty rows: 1.
        """
        return tanimoto(_whole(X, self.kept), self.rows)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"kept": self.kept.astype(np.uint8), "rows": self.rows}

    @classmethod
    def of(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        return cls(kept=arrays["kept"].astype(bool), rows=arrays["rows"])


def tanimoto(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, m) of the rows (n, width) and (m, width).

    The smaller of two counts is the number of levels that both reach, so a product of sparse
    matrices that have a column for each level adds them up.
    """
    most = right.max(axis=0, initial=0)
    smaller = (_levels(left, most) @ _levels(right, most).T).toarray().astype(np.float64)
    total = left.sum(axis=1, dtype=np.float64)[:, None] + right.sum(axis=1, dtype=np.float64)
    larger = total - smaller
    empty = larger == 0
    found: NDArray[np.float64] = np.where(empty, 1.0, smaller / np.where(empty, 1.0, larger))
    return found


def _levels(rows: NDArray[np.uint8], most: NDArray[np.uint8]) -> "sparse.csr_array":
    """(n, sum of most): 1 where a row's count reaches the level. Levels above `most` are left out,
    since the other side does not reach them.
    """
    from scipy import sparse

    counts = sparse.csr_array(np.minimum(rows, most))
    repeats = counts.data.astype(np.int64)
    first = np.concatenate([[0], np.cumsum(most, dtype=np.int64)])
    within = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    columns = np.repeat(first[counts.indices], repeats) + within
    ends = np.concatenate([[0], np.cumsum(repeats)])[counts.indptr]
    data = np.ones(len(columns), np.float32)
    return sparse.csr_array((data, columns, ends), shape=(len(rows), int(first[-1])))


def _whole(X: NDArray[Any], kept: NDArray[np.bool_]) -> NDArray[np.uint8]:
    values = np.nan_to_num(np.asarray(X)[:, kept].astype(np.float32), posinf=_MOST, neginf=0.0)
    return np.clip(np.rint(values), 0, _MOST).astype(np.uint8)
