"""The most similar of many fingerprints, exactly, by an inverted index over their bits."""

from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.uncertainty.nearest import Nearest, array_bytes, best, best_of_each

#: queries from which on they are answered together
_MANY = 64
#: references up to which their bits are also kept as a table (2 kB each): with more, the lists of
#: few bits are as fast
_TABLE_ROWS = 4_096
#: and the widest bits, of which float32 still tells all similarities apart
_TABLE_WIDTH = 2_048
#: similarities that are held at once: 4 MB, as much for what they are divided by, and 1 or 2 MB
_BLOCK = 1_000_000


class TanimotoIndex:
    """Of n reference fingerprints. A query adds up the references of its own few bits: below 1 ms
    at 30,000 references, at about 200 bytes each.
    """

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        """`bits` (n, width) of 0 and 1."""
        rows, columns = np.nonzero(bits)
        order = np.argsort(columns, kind="stable")
        self._rows = rows[order].astype(np.int32)
        self._starts = np.searchsorted(columns[order], np.arange(bits.shape[1] + 1))
        self._counts = bits.sum(axis=1, dtype=np.int64)

    @classmethod
    def of_packed(cls, packed: NDArray[np.uint8], width: int) -> Self:
        """From `np.packbits` rows (n, width / 8)."""
        return cls(np.unpackbits(packed, axis=1)[:, :width])

    def nearest(self, bits: NDArray[np.uint8], k: int) -> Nearest:
        """The k most similar references of each query (q, width), by Tanimoto similarity; fewer
        when there are fewer references.
        """
        k = min(k, len(self._counts))
        if len(bits) < _MANY or not self._has_table:
            return Nearest.stacked([best(self.similarity(row), k) for row in bits], k)
        step = max(1, _BLOCK // len(self._counts))
        return Nearest.joined(
            [self._nearest(bits[n : n + step], k) for n in range(0, len(bits), step)]
        )

    @property
    def memory_bytes(self) -> int:
        return array_bytes(self)

    def similarity(self, bits: NDArray[Any]) -> NDArray[np.float64]:
        """(n,) Tanimoto similarity of one fingerprint (width,) to each reference. Two without any
        bit are equal (1), as RDKit's are not: a molecule is always most similar to itself.
        """
        on = np.flatnonzero(bits)
        shared = self._shared_with_one(on)
        union = self._counts + len(on) - shared
        found: NDArray[np.float64] = np.divide(
            shared, union, out=np.ones(len(union)), where=union > 0
        )
        return found

    def _shared_with_one(self, on: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
        """(n,) how many of the bits `on` each reference has."""
        if self._has_table:
            shared: NDArray[np.uint16] = self._rows_of_bits[on].sum(axis=0, dtype=np.uint16)
            return shared
        lists = [self._rows[self._starts[bit] : self._starts[bit + 1]] for bit in on]
        if not lists:
            return np.zeros(len(self._counts), dtype=np.int64)
        return np.bincount(np.concatenate(lists), minlength=len(self._counts))

    def _nearest(self, bits: NDArray[Any], k: int) -> Nearest:
        """Of (q, width): what `similarity` of each tells, to the last bit. They are ranked as
        float32, which tells any two fractions of numbers up to 2,048 apart.
        """
        on = bits.sum(axis=1, dtype=np.int64)
        shared = self._shared(bits, on)
        union = self._counts.astype(np.float32) + on.astype(np.float32)[:, None]
        union -= shared
        if not on.all():
            empty = union == 0
            union[empty] = shared[empty] = 1
        places = best_of_each(np.divide(shared, union, dtype=np.float32), k)
        rows = np.arange(len(bits))[:, None]
        similarity = shared[rows, places].astype(np.float64) / union[rows, places]
        return Nearest(places=places, similarity=similarity)

    def _shared(
        self, bits: NDArray[Any], on: NDArray[np.int64]
    ) -> NDArray[np.unsignedinteger[Any]]:
        """(q, n) bits in common with each reference; of (q, width), in which `on` are 1. Counted
        in the smallest numbers that hold them: the time is that of moving them.
        """
        from scipy.sparse import csr_matrix

        fits = np.min_scalar_type(on.max(initial=0))
        columns = np.flatnonzero(np.ascontiguousarray(bits).view(np.bool_)) % bits.shape[1]
        starts = np.concatenate([[0], np.cumsum(on)])
        ones = np.ones(len(columns), dtype=fits)
        table = self._rows_of_bits.astype(fits, copy=False)
        shared: NDArray[np.unsignedinteger[Any]] = (
            csr_matrix((ones, columns, starts), shape=bits.shape) @ table
        )
        return shared

    @property
    def _has_table(self) -> bool:
        return 0 < len(self._counts) <= _TABLE_ROWS and len(self._starts) - 1 <= _TABLE_WIDTH

    @cached_property
    def _rows_of_bits(self) -> NDArray[np.uint8]:
        """(width, n) of 0 and 1."""
        table = np.zeros((len(self._starts) - 1, len(self._counts)), dtype=np.uint8)
        table[np.repeat(np.arange(len(table)), np.diff(self._starts)), self._rows] = 1
        return table
