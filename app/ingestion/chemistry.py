"""What kinds of molecules a data set holds: sizes, elements, scaffolds, examples."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.core.work import ChunkResult
from app.datasets.columns import Column, stored_name
from app.datasets.fingerprints import hash_texts
from app.datasets.rows import take_rows
from app.ingestion.clean import Shapes, staged_scaffolds
from app.ingestion.statistics import number_values
from app.storage import Storage

_TOP = 20
_EXAMPLES = 12
#: targets shown beside an example
_MAX_TARGETS = 12


def sizes(shapes: Shapes) -> dict[str, Any]:
    """Heavy atoms of the kept molecules."""
    atoms = np.concatenate(shapes.heavy_atoms)
    return {
        "min": int(atoms.min()),
        "median": float(np.median(atoms)),
        "max": int(atoms.max()),
    }


def elements(results: Sequence[ChunkResult]) -> dict[str, int]:
    """Molecules that hold each element (before replicates are merged), most frequent first."""
    total: Counter[str] = Counter()
    for result in results:
        total.update(result.result.get("elements", {}))
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def scaffolds(storage: Storage, results: Sequence[ChunkResult], shapes: Shapes) -> dict[str, Any]:
    """Bemis-Murcko scaffolds of the kept molecules: how many, and the most frequent ones.

    `singletons`: the share of the scaffolds that occur once. Acyclic molecules have none.
    """
    hashes, counts = np.unique(np.concatenate(shapes.scaffolds), return_counts=True)
    acyclic = hashes == hash_texts([""])[0]
    n_acyclic = int(counts[acyclic].sum())
    hashes, counts = hashes[~acyclic], counts[~acyclic]
    top = np.lexsort((hashes, -counts))[:_TOP]
    texts = _texts(storage, results, hashes[top])
    return {
        "distinct": len(hashes),
        "acyclic": n_acyclic,
        "singletons": float(np.mean(counts == 1)) if len(counts) else None,
        "top": [
            {"smiles": texts[int(hashes[n])], "count": int(counts[n])}
            for n in top
            if int(hashes[n]) in texts
        ],
    }


def _texts(
    storage: Storage, results: Sequence[ChunkResult], wanted: NDArray[np.uint64]
) -> dict[int, str]:
    """SMILES of the scaffolds with these hashes."""
    found: dict[int, str] = {}
    for texts in staged_scaffolds(storage, results):
        if len(found) == len(wanted):
            break
        hashes = hash_texts(texts)
        for place in np.flatnonzero(np.isin(hashes, wanted)):
            found[int(hashes[place])] = texts[place]
    return found


def examples(clean: Path, targets: Sequence[Column], ids: Sequence[str]) -> dict[str, Any]:
    """Twelve molecules: from the lowest to the highest value of the first numeric target, else
    evenly over the rows. {"order": target or None, "molecules": [{row, smiles, id, values}]}.
    """
    n = pq.ParquetFile(clean).metadata.num_rows
    order = next((c["name"] for c in targets if c["type"] == "number"), None)
    ranked = np.arange(n)
    if order is not None:
        values = number_values(clean, stored_name(order))
        ranked = np.argsort(values, kind="stable")[: int(np.isfinite(values).sum())]
    if not len(ranked):
        order, ranked = None, np.arange(n)
    places = np.unique(np.linspace(0, len(ranked) - 1, _EXAMPLES).round().astype(np.int64))
    shown = [column["name"] for column in targets[:_MAX_TARGETS]]
    names = ["row", "smiles", *map(stored_name, [*shown, *ids[:1]])]
    rows = take_rows(clean, ranked[places], names)
    return {
        "order": order,
        "molecules": [
            {
                "row": row["row"],
                "smiles": row["smiles"],
                "id": row[stored_name(ids[0])] if ids else None,
                "values": {name: row[stored_name(name)] for name in shown},
            }
            for row in rows
        ],
    }
