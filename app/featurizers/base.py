"""The contract of a featurizer: molecules, or rows of a table, in; one row of numbers each out."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from app.core.plugin import Plugin
from app.core.registry import Registry

if TYPE_CHECKING:
    from rdkit.Chem import Mol


class AnyFeaturizer(Plugin):
    """What featurizers of molecules, of graphs and of tables share."""

    input: ClassVar[Literal["molecule", "table"]] = "molecule"
    #: algorithms learn from matrices: bits, counts and floats
    output: ClassVar[Literal["bits", "counts", "floats", "tokens", "graphs"]]

    @property
    def key(self) -> dict[str, Any]:
        """What identifies the numbers: name, version and every parameter."""
        return {"name": self.name, "version": self.version, "params": self.params.model_dump()}

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it cannot be used here; None when it can. Cheap: imports nothing."""
        return None


@dataclass(frozen=True, kw_only=True)
class Features:
    """What a featurizer gives for a batch of n molecules."""

    #: (n, width) of the featurizer's dtype; a refused molecule's row is 0 or NaN
    matrix: NDArray[Any]
    #: row number in the batch -> why there are no numbers
    errors: dict[int, str] = field(default_factory=dict)


class Featurizer(AnyFeaturizer):
    """One file each. `featurize_one` is the work; the rest is shared.

    Instances are cheap, reusable and safe in one thread; heavy imports sit inside methods.
    """

    #: costs more than a cache lookup (about 1 ms a molecule): rows are cached by structure
    expensive: ClassVar[bool] = False

    @abstractmethod
    def columns(self) -> list[str]:
        """The name of each output column, unique within the featurizer."""

    @abstractmethod
    def featurize_one(self, mol: "Mol") -> NDArray[Any]:
        """(width,) numbers of one sanitized molecule; may raise ValueError with the reason."""

    @cached_property
    def width(self) -> int:
        return len(self.columns())

    @property
    def dtype(self) -> type[np.generic]:
        """Bits are stored packed, 8 to a byte."""
        whole: dict[str, type[np.generic]] = {"bits": np.uint8, "tokens": np.int32}
        return whole.get(self.output, np.float32)

    def empty(self, n: int) -> NDArray[Any]:
        """(n, width) of molecules without numbers: 0 where there is no NaN."""
        nothing = np.nan if self.dtype is np.float32 else 0
        return np.full((n, self.width), nothing, dtype=self.dtype)

    def featurize(self, mols: "Sequence[Mol | None]") -> Features:
        """Rows in the order of `mols`; None and failures become rows listed in `errors`."""
        matrix = self.empty(len(mols))
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


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One molecule of a atoms; each bond is two edges, one in each direction."""

    #: (a, atom width) float32
    atoms: NDArray[np.float32]
    #: (e, bond width) float32
    bonds: NDArray[np.float32]
    #: (2, e) int32: from which atom to which
    edges: NDArray[np.int32]


class GraphFeaturizer(AnyFeaturizer):
    """One file each. Molecules as graphs, for networks that pass messages."""

    output = "graphs"

    @abstractmethod
    def atom_columns(self) -> list[str]:
        """The name of each number of an atom."""

    @abstractmethod
    def bond_columns(self) -> list[str]:
        """The name of each number of a bond."""

    @abstractmethod
    def featurize_one(self, mol: "Mol") -> Graph:
        """Of one sanitized molecule; may raise ValueError with the reason."""

    @property
    def width(self) -> int:
        """Numbers of an atom and of a bond together."""
        return len(self.atom_columns()) + len(self.bond_columns())

    def no_graph(self) -> Graph:
        """Of a molecule that has none."""
        return Graph(
            atoms=np.empty((0, len(self.atom_columns())), dtype=np.float32),
            bonds=np.empty((0, len(self.bond_columns())), dtype=np.float32),
            edges=np.empty((2, 0), dtype=np.int32),
        )


#: n rows of a table by column: float64 (NaN for missing) of numbers, datetime64[us] (NaT) of dates,
#: object of words (None)
Cells = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What n training rows are to teach."""

    names: tuple[str, ...]
    #: classes per target; y holds their indices. Empty for numbers
    classes: tuple[tuple[str, ...], ...]
    #: (n, targets) float64; NaN without a label
    y: NDArray[np.float64]


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


@runtime_checkable
class CrossFitted(Protocol):
    """Fitted columns that look at the targets: their training rows need another encoding, made
    without each row's own target, or a model would learn to trust them too much.
    """

    def training(self, cells: Cells, targets: Targets) -> NDArray[np.float32]:
        """As `transform`, of the rows that it was fitted on."""


class ColumnFeaturizer(AnyFeaturizer):
    """One file each. Unlike a Featurizer it learns, so it is fitted inside every fold."""

    input = "table"
    output = "floats"

    @abstractmethod
    def fit(self, columns: Sequence[Mapping[str, Any]], cells: Cells) -> FittedColumns:
        """`columns`: name and type (number, date, binary, class, text) of each; `cells` of n >= 1
        training rows.
        """

    def fit_to(
        self, columns: Sequence[Mapping[str, Any]], cells: Cells, targets: Targets
    ) -> FittedColumns:
        """As `fit`; one that learns from the targets too has its own."""
        del targets
        return self.fit(columns, cells)

    @abstractmethod
    def load(self, state: Any) -> FittedColumns:
        """What `FittedColumns.state` gave."""


featurizers: Registry[type[Featurizer | GraphFeaturizer | ColumnFeaturizer]] = Registry(
    "app.featurizers", kind="featurizer"
)
