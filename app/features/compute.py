"""From standardized SMILES to one feature matrix; expensive rows come from a cache by structure."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import redis
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.core.hashing import content_key
from app.core.requests import PluginSpec
from app.core.work import WorkContext
from app.features.recipes.base import expanded
from app.featurizers.base import (
    ColumnFeaturizer,
    Features,
    Featurizer,
    GraphFeaturizer,
    featurizers,
)

if TYPE_CHECKING:
    from rdkit.Chem import Mol

logger = logging.getLogger(__name__)

#: Molecules that are best made, featurized and freed together. Each is many small pieces of memory:
#: those of 500 have left the processor's cache before they are featurized and freed, which takes a
#: tenth longer (standardizing and Morgan counts: 316 instead of 285 us a molecule).
FEW = 16


def few_at_a_time(context: WorkContext, smiles: Sequence[str]) -> Iterator[Sequence[str]]:
    """All of them in order; before each few raises what `context.raise_if_cancelled` raises."""
    for start in range(0, len(smiles), FEW):
        context.raise_if_cancelled()
        yield smiles[start : start + FEW]


class FeatureSet:
    """Featurizers side by side, in order. Raises UnknownName, InvalidInput for a wrong spec."""

    def __init__(self, named: Sequence[PluginSpec]) -> None:
        specs = expanded(named)
        plugins = [_made(spec) for spec in specs]
        #: of molecules, in order, and their specs
        self.of_molecules = [p for p in plugins if not isinstance(p, ColumnFeaturizer)]
        self.specs = [s for s, p in zip(specs, plugins, strict=True) if p in self.of_molecules]
        #: those that give a matrix; graphs are stored by a featurize job, no algorithm takes them
        self.featurizers = [p for p in self.of_molecules if isinstance(p, Featurizer)]
        #: of a table's columns: these learn from training rows (app/features/fitted.py)
        self.column_featurizers = [p for p in plugins if isinstance(p, ColumnFeaturizer)]
        #: equal for equal names, versions and parameters in equal order
        self.key = content_key([plugin.key for plugin in plugins])

    @cached_property
    def columns(self) -> list[str]:
        """Of the molecules' features."""
        return [column for featurizer in self.featurizers for column in featurizer.columns()]

    @cached_property
    def width(self) -> int:
        return sum(featurizer.width for featurizer in self.featurizers)

    @cached_property
    def dtype(self) -> type[np.generic]:
        """That of all featurizers when they agree, else float32."""
        kinds = {featurizer.dtype for featurizer in self.featurizers}
        return kinds.pop() if len(kinds) == 1 else np.float32


def _made(spec: PluginSpec) -> Featurizer | GraphFeaturizer | ColumnFeaturizer:
    cls = featurizers.get(spec.name)
    if why := cls.unavailable():
        raise InvalidInput(f"{cls.name} cannot be used here: {why}", code="featurizer_unavailable")
    made: Featurizer | GraphFeaturizer | ColumnFeaturizer = cls.from_values(spec.params)
    return made


class MoleculeCache:
    """Rows of expensive featurizers in Redis, by featurizer and standardized structure.

    Losing it costs time only: an outage is logged and counted, never raised.
    """

    def __init__(self, client: "redis.Redis[bytes]", *, ttl_seconds: int) -> None:
        self._client = client
        self._ttl = ttl_seconds
        self.hits = 0
        self.misses = 0
        self.outages = 0

    def get(self, featurizer: Featurizer, smiles: Sequence[str]) -> list[NDArray[Any] | None]:
        """The cached row of each molecule, None where there is none."""
        if not smiles:
            return []
        try:
            found: list[Any] = self._client.mget(self._keys(featurizer, smiles))
        except redis.RedisError as error:
            self._outage(error)
            return [None] * len(smiles)
        rows = [None if raw is None else _unpack(featurizer, raw) for raw in found]
        self.hits += sum(row is not None for row in rows)
        self.misses += sum(row is None for row in rows)
        return rows

    def put(
        self, featurizer: Featurizer, smiles: Sequence[str], rows: Sequence[NDArray[Any]]
    ) -> None:
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for key, row in zip(self._keys(featurizer, smiles), rows, strict=True):
                    pipe.set(key, _pack(featurizer, row), ex=self._ttl)
                pipe.execute()
        except redis.RedisError as error:
            self._outage(error)

    def _keys(self, featurizer: Featurizer, smiles: Sequence[str]) -> list[str]:
        prefix = f"feat:{content_key(featurizer.key)[:16]}:"
        return [prefix + hashlib.sha256(s.encode()).hexdigest()[:32] for s in smiles]

    def _outage(self, error: Exception) -> None:
        self.outages += 1
        logger.warning("the feature cache does not answer: %s", error)


def _pack(featurizer: Featurizer, row: NDArray[Any]) -> bytes:
    packed = np.packbits(row) if featurizer.output == "bits" else row.astype(featurizer.dtype)
    return packed.tobytes()


def _unpack(featurizer: Featurizer, raw: bytes) -> NDArray[Any] | None:
    """None for an entry of another width (it is computed again)."""
    if featurizer.output == "bits":
        bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8))[: featurizer.width]
        return bits if len(bits) == featurizer.width else None
    row = np.frombuffer(raw, dtype=featurizer.dtype)
    return row if len(row) == featurizer.width else None


class _Molecules:
    """Molecules of standardized SMILES, parsed at most once and only when needed."""

    def __init__(self, smiles: Sequence[str], mols: "Sequence[Mol] | None") -> None:
        self._smiles = smiles
        self._mols: list[Mol | None] = list(mols) if mols is not None else [None] * len(smiles)

    def at(self, rows: Sequence[int]) -> "Iterator[Mol]":
        from app.chem.standardize import parse_standardized

        for row in rows:
            mol = self._mols[row]
            if mol is None:
                mol = self._mols[row] = parse_standardized(self._smiles[row])
            yield mol


def featurize_smiles(
    feature_set: FeatureSet,
    smiles: Sequence[str],
    cache: MoleculeCache | None,
    mols: "Sequence[Mol] | None" = None,
) -> Features:
    """Features of standardized SMILES (n, width); `mols` are their molecules, when at hand."""
    molecules = _Molecules(smiles, mols)
    if len(feature_set.featurizers) == 1:
        return _featurize(feature_set.featurizers[0], smiles, cache, molecules)
    matrix = np.empty((len(smiles), feature_set.width), dtype=feature_set.dtype)
    errors: dict[int, str] = {}
    column = 0
    for featurizer in feature_set.featurizers:
        part = _featurize(featurizer, smiles, cache, molecules)
        matrix[:, column : column + featurizer.width] = part.matrix
        errors |= part.errors
        column += featurizer.width
    return Features(matrix=matrix, errors=errors)


def _featurize(
    featurizer: Featurizer,
    smiles: Sequence[str],
    cache: MoleculeCache | None,
    molecules: _Molecules,
) -> Features:
    if cache is None or not featurizer.expensive:
        return featurizer.featurize(list(molecules.at(range(len(smiles)))))
    known = cache.get(featurizer, smiles)
    missing = [row for row, found in enumerate(known) if found is None]
    computed = featurizer.featurize(list(molecules.at(missing)))
    matrix = np.empty((len(smiles), featurizer.width), dtype=featurizer.dtype)
    for row, found in enumerate(known):
        if found is not None:
            matrix[row] = found
    matrix[missing] = computed.matrix
    good = [place for place in range(len(missing)) if place not in computed.errors]
    cache.put(featurizer, [smiles[missing[p]] for p in good], [computed.matrix[p] for p in good])
    return Features(
        matrix=matrix, errors={missing[place]: why for place, why in computed.errors.items()}
    )
