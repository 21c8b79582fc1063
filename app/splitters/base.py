"""The contract of a splitter: rows in, disjoint train, validation and test rows out."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from app.core.errors import InvalidInput
from app.core.hashing import content_key
from app.core.plugin import Plugin, PluginParams
from app.core.registry import Registry

Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SplitInput:
    """What a splitter may look at, for n rows."""

    #: standardized SMILES; empty for rows of a table
    smiles: Sequence[str]
    #: (n, targets) float64, NaN for missing
    y: NDArray[np.float64]
    #: the cells of the column that the splitter's parameter `column` names: float of a number,
    #: datetime of a date, str of a word, None of an empty one; None: there is no such column
    column: Sequence[Any] | None = None

    @property
    def n(self) -> int:
        return len(self.y)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Disjoint row indices, each ascending; together at most all rows."""

    train: Indices
    validation: Indices
    test: Indices

    @property
    def hash(self) -> str:
        """Cites the split: equal row sets give equal hashes."""
        return content_key(
            {
                "train": self.train.tolist(),
                "validation": self.validation.tolist(),
                "test": self.test.tolist(),
            }
        )


class FractionParams(PluginParams):
    """Fractions of the rows; what is left of 1 after rounding goes to train."""

    train: float = Field(default=0.8, gt=0, lt=1)
    validation: float = Field(default=0.1, ge=0, lt=1)
    test: float = Field(default=0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _sum_is_one(self) -> Self:
        if abs(self.train + self.validation + self.test - 1.0) > 1e-6:  # noqa: PLR2004
            raise ValueError("train + validation + test must be 1")
        return self


class Splitter(Plugin):
    """One file each; the same rows, parameters and seed give the same split, on any machine."""

    #: another seed gives another split and other folds; without, a repeat repeats nothing
    seeded: ClassVar[bool] = True
    #: each test row is drawn like any other, by itself; else rows come and go in groups
    drawn_singly: ClassVar[bool] = False

    @abstractmethod
    def split(self, rows: SplitInput, seed: int) -> Split:
        """Raises InvalidInput when the rows cannot be split so (too few, missing column)."""

    @abstractmethod
    def fold_parts(self, rows: SplitInput, seed: int, n: int) -> list[Indices]:
        """At most `n` disjoint parts by this splitter's own rule; empty ones may be among them."""

    def testable(self, rows: SplitInput) -> NDArray[np.bool_]:
        """(n,) which rows a split of these may test; the others always train."""
        return np.ones(rows.n, dtype=np.bool_)

    def folds(self, rows: SplitInput, seed: int, n: int) -> list[Split]:
        """Cross-validation: each part is the test part once, the others train (of `time`, only
        the earlier ones); no validation. Test parts are disjoint. They cover all rows, but for the
        splitters `time` (its first part is never tested) and `column` (nor are its test rows).

        Fewer than `n` where the rule makes fewer parts (fewer groups than `n`, say). Another seed
        gives another repeat. Raises InvalidInput when not even two parts can be made.
        """
        parts = [np.sort(part) for part in self.fold_parts(rows, seed, n) if len(part)]
        if len(parts) < 2:  # noqa: PLR2004 - one part cannot be learned and tested
            raise InvalidInput(
                f"{rows.n} rows cannot be folded by the split {self.name}",
                code="too_few_folds",
                remedy="Give more rows, or choose a split that cuts them finer: random.",
            )
        empty = np.empty(0, dtype=np.int64)
        return [
            Split(
                train=np.sort(np.concatenate(parts[:place] + parts[place + 1 :])),
                validation=empty,
                test=part,
            )
            for place, part in enumerate(parts)
        ]

    @property
    def key(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "params": self.params.model_dump()}


splitters: Registry[type[Splitter]] = Registry("app.splitters", kind="splitter")
