"""A second form of a fitted estimator, quicker for a few rows, proved equal before it is used.

scikit-learn's forests take 45 us a tree to begin with, whatever the number of rows; the wrappers of
boosters take longer than their boosters. A form answers a few rows without that. It is compared
with its estimator on training rows when a model is stored, and again whenever one is loaded, so
that another version of a library cannot slip through; where the two are not equal the estimator
answers alone, and the model's facts say so.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from app.algorithms.array_files import load_arrays, save_arrays

logger = logging.getLogger(__name__)

Matrix = NDArray[Any]
#: largest difference allowed, as a share of the largest number
TOLERANCE = 1e-12
#: training rows that a form is compared on, and how many of them are stored for every load
PROOF_ROWS = 64
STORED_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """For n rows."""

    #: (n, 1) of a regressor, (n, seen classes) probabilities of a classifier; float64
    values: NDArray[np.float64]
    #: (n,) spread of the ensemble; None where there is none
    std: NDArray[np.float64] | None = None

    def difference(self, other: "Numbers") -> float:
        """The largest, as a share of the largest number; infinite where a part is missing."""
        if (self.std is None) != (other.std is None) or self.values.shape != other.values.shape:
            return float("inf")
        parts = [(self.values, other.values)]
        if self.std is not None and other.std is not None:
            # squares of numbers are subtracted for a spread: it is as exact as they are
            parts.append((self.std, other.std))
        largest = float(np.abs(other.values).max(initial=0.0)) or 1.0
        found = max(float(np.abs(a - b).max(initial=0.0)) for a, b in parts) / largest
        return found if np.isfinite(found) else float("inf")


class FastForm(Protocol):
    """Of one estimator."""

    #: what computes it, for the manifest
    engine: ClassVar[str]
    #: columns that a row must have
    width: int

    def numbers(self, X: Matrix) -> Numbers:
        """Of X (n, width), prepared as the estimator takes it."""


class Original(Protocol):
    """What a form must agree with."""

    def __call__(self, X: Matrix, /) -> Numbers: ...


@dataclass(frozen=True, kw_only=True)
class Proof:
    """How far a form was from its estimator on training rows."""

    engine: str
    #: rows that were compared
    rows: int
    largest_difference: float
    #: of those, the rows (k, width) that every load compares, and the estimator's numbers
    probes: Matrix
    expected: Numbers

    @classmethod
    def of(cls, form: FastForm, original: Original, rows: Matrix) -> Self:
        """`rows` (m, width) of training."""
        expected = original(rows)
        each = [form.numbers(rows[i : i + 1]) for i in range(len(rows))]
        single = _stacked(each)
        together = form.numbers(rows)
        first = slice(STORED_ROWS)
        return cls(
            engine=form.engine,
            rows=len(rows),
            largest_difference=max(single.difference(expected), together.difference(expected)),
            probes=rows[first],
            expected=Numbers(
                values=expected.values[first],
                std=None if expected.std is None else expected.std[first],
            ),
        )

    @property
    def why_not(self) -> str | None:
        """Why the form is not used; None where it is."""
        if self.largest_difference <= TOLERANCE:
            return None
        return f"it differs from the estimator by {self.largest_difference:.3g}"

    def facts(self, up_to_rows: int) -> dict[str, Any]:
        """For the manifest."""
        used = {"used": True} if self.why_not is None else {"used": False, "why": self.why_not}
        return {
            "engine": self.engine,
            "up_to_rows": up_to_rows,
            "tolerance": TOLERANCE,
            "largest_difference": _finite(self.largest_difference),
            "compared_rows": self.rows,
            **used,
        }

    def holds(self, form: FastForm, original: Original) -> bool:
        """Whether form and estimator, as loaded here, still give what was stored."""
        found = [form.numbers(self.probes), original(self.probes)]
        single = _stacked([form.numbers(self.probes[i : i + 1]) for i in range(len(self.probes))])
        worst = max(numbers.difference(self.expected) for numbers in [*found, single])
        if worst > TOLERANCE:
            logger.warning("a fast form is %.3g from what was stored: it is not used", worst)
        return worst <= TOLERANCE

    def save(self, path: Path) -> None:
        arrays = {"probes": self.probes, "values": self.expected.values}
        if self.expected.std is not None:
            arrays["std"] = self.expected.std
        values = {
            "engine": self.engine,
            "rows": self.rows,
            "largest_difference": _finite(self.largest_difference),
        }
        save_arrays(path, arrays, values)

    @classmethod
    def load(cls, path: Path) -> Self:
        arrays, values = load_arrays(path)
        difference = values["largest_difference"]
        return cls(
            engine=values["engine"],
            rows=values["rows"],
            largest_difference=float("inf") if difference is None else difference,
            probes=arrays["probes"],
            expected=Numbers(values=arrays["values"], std=arrays.get("std")),
        )


def proof_rows(X: Matrix) -> Matrix:
    """At most 64 rows of X, evenly spaced; a copy."""
    chosen: Matrix = X[:: -(-len(X) // PROOF_ROWS)].copy()
    return chosen


def _stacked(each: list[Numbers]) -> Numbers:
    spreads = [numbers.std for numbers in each if numbers.std is not None]
    return Numbers(
        values=np.concatenate([numbers.values for numbers in each]),
        std=np.concatenate(spreads) if spreads else None,
    )


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if np.isfinite(value) else None
