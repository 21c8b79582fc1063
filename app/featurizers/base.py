"""The contract of a featurizer: molecules, or rows of a table, in; one row of numbers each out."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.plugin import Plugin
from app.core.registry import Registry

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@dataclass(frozen=True, kw_only=True)
class Features:
    """What a featurizer gives for a batch of n molecules."""

    #: (n, width); uint8 0/1 for bits, float32 otherwise; a refused molecule's row is 0 or NaN
    matrix: NDArray[Any]
    #: row number in the batch -> why there are no numbers
    errors: dict[int, str] = field(default_factory=dict)


class Featurizer(Plugin):
    """One file each. `featurize_one` is the work; the rest is shared.

    Instances are cheap, reusable and safe in one thread; heavy imports sit inside methods.
    """

    input: ClassVar[Literal["molecule", "table"]] = "molecule"
    #: bits are stored packed (8 to a byte); counts and floats as float32
    output: ClassVar[Literal["bits", "counts", "floats"]]
    #: costs more than a cache lookup (about 1 ms a molecule): rows are cached by structure
    expensive: ClassVar[bool] = False

    @abstractmethod
    def columns(self) -> list[str]:
        """The name of each output column, unique within the featurizer."""

    @abstractmethod
    def featurize_one(self, mol: "Mol") -> NDArray[Any]:
        """(width,) numbers of one sanitized molecule; may raise ValueError with the reason."""

    @property
    def width(self) -> int:
        return len(self.columns())

    @property
    def dtype(self) -> type[np.generic]:
        return np.uint8 if self.output == "bits" else np.float32

    @property
    def key(self) -> dict[str, Any]:
        """What identifies the numbers: name, version and every parameter."""
        return {"name": self.name, "version": self.version, "params": self.params.model_dump()}

    def featurize(self, mols: "Sequence[Mol | None]") -> Features:
        """Rows in the order of `mols`; None and failures become rows listed in `errors`."""
        empty = 0 if self.output == "bits" else np.nan
        matrix = np.full((len(mols), self.width), empty, dtype=self.dtype)
        errors: dict[int, str] = {}
        for row, mol in enumerate(mols):
            if mol is None:
                errors[row] = "no molecule"
                continue
            try:
                matrix[row] = self.featurize_one(mol)
            except (ValueError, RuntimeError) as error:
                errors[row] = f"{self.name}: {error}"
        return Features(matrix=matrix, errors=errors)


#: n rows of a table by column: float64 (NaN for missing) of numbers, datetime64[us] (NaT) of dates,
#: object of words (None)
Cells = Mapping[str, NDArray[Any]]


class FittedColumns(Protocol):
    """What a ColumnFeaturizer learned from training rows."""

    @property
    def columns(self) -> list[str]:
        """The name of each output column."""

    @property
    def sources(self) -> list[str]:
        """The column of the table that each output column was made from."""

    def transform(self, cells: Cells) -> NDArray[np.float32]:
        """(n, len(columns)) finite numbers."""

    def notes(self, cells: Cells) -> list[list[str]]:
        """Per row: what was missing or never seen in training, and what was put in its place."""

    def state(self) -> Any:
        """JSON, for `load`."""


class ColumnFeaturizer(Plugin):
    """One file each. Unlike a Featurizer it learns, so it is fitted inside every fold."""

    input: ClassVar[Literal["molecule", "table"]] = "table"
    output: ClassVar[Literal["bits", "counts", "floats"]] = "floats"

    @abstractmethod
    def fit(self, columns: Sequence[Mapping[str, Any]], cells: Cells) -> FittedColumns:
        """`columns`: name and type (number, date, binary, class, text) of each; `cells` of n >= 1
        training rows.
        """

    @abstractmethod
    def load(self, state: Any) -> FittedColumns:
        """What `FittedColumns.state` gave."""

    @property
    def key(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "params": self.params.model_dump()}


featurizers: Registry[type[Featurizer | ColumnFeaturizer]] = Registry(
    "app.featurizers", kind="featurizer"
)
