"""What a person looks at before they train: counts, reasons, columns, targets, conflicts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core.work import ChunkResult
from app.datasets.columns import Column
from app.datasets.parts import Layout
from app.ingestion import chemistry
from app.ingestion.clean import Shapes
from app.ingestion.merging import Replicates
from app.ingestion.refusals import Tally
from app.ingestion.statistics import column_statistics
from app.storage import Storage

_SHOWN = 50
#: most frequent words of a feature
_WORDS = 10
_MAX_COLUMNS = 200


def build_report(
    *,
    storage: Storage,
    said: Mapping[str, str],
    personal: Mapping[str, str],
    layout: Layout,
    counts: dict[str, int],
    refused: Tally,
    replicates: Replicates,
    results: Sequence[ChunkResult],
    clean: Path,
    shapes: Shapes,
) -> dict[str, Any]:
    """Small (it is kept in the data set's row): at most 50 refused rows, 100 conflicts and 200
    columns. `statistics` (of tables) has the figures of features as `targets` those of targets.
    """
    # what a person called a target comes before what was guessed to be one
    targets = sorted(
        (column for column in layout.columns if column["role"] == "target"),
        key=lambda column: column["name"] not in said,
    )
    features = [column for column in layout.columns if column["role"] == "feature"]
    statistics = {
        c["name"]: column_statistics(clean, c, top=_WORDS) for c in features[:_MAX_COLUMNS]
    }
    of_targets = {
        c["name"]: column_statistics(clean, c, top=_SHOWN) for c in targets[:_MAX_COLUMNS]
    }
    return {
        "counts": counts,
        "kind": layout.kind,
        "format": layout.format,
        "notes": layout.notes,
        # what was done with columns about people; their names only
        **({"personal": dict(personal)} if personal else {}),
        "columns": layout.columns[:_MAX_COLUMNS],
        "reasons": dict(refused.reasons.most_common(_SHOWN)),
        "refused": refused.named(),
        "changes": _summed(results, "changes"),
        "bad_cells": _summed(results, "bad_cells"),
        "duplicates": {
            "rule": replicates.rule,
            "structures": replicates.n_groups,
            "conflicts": replicates.n_conflicts,
            "named": replicates.conflicts,
        },
        "targets": of_targets,
        "statistics": statistics,
        "constant": [name for name, facts in (of_targets | statistics).items() if _constant(facts)],
        "molecules": _molecules(storage, layout, targets, results, clean, shapes),
    }


def _constant(facts: dict[str, Any]) -> bool:
    """Nothing can be learned from one value."""
    return int(facts["distinct"]) <= 1


def _summed(results: Sequence[ChunkResult], name: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for result in results:
        total.update(result.result.get(name, {}))
    return dict(total)


def _molecules(
    storage: Storage,
    layout: Layout,
    targets: Sequence[Column],
    results: Sequence[ChunkResult],
    clean: Path,
    shapes: Shapes,
) -> dict[str, Any] | None:
    """None for tables, and for parts that the release before has staged."""
    if not shapes.scaffolds:
        return None
    return {
        "heavy_atoms": chemistry.sizes(shapes),
        "elements": chemistry.elements(results),
        "scaffolds": chemistry.scaffolds(storage, results, shapes),
        "examples": chemistry.examples(clean, targets, layout.names("id")),
    }
