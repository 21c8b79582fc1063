"""The leak audit of a training: what the model could know of the test rows, and should not.

Reference: Kapoor & Narayanan 2023, Patterns 4, 100804 (a taxonomy of leakage).
"""

from typing import Any

import numpy as np

from app.core.errors import LeakFound
from app.core.work import WorkContext
from app.features.fitted import FittedFeatures
from app.splitters.base import Indices, splitters
from app.training.leaks.columns import derived_columns
from app.training.leaks.findings import Finding
from app.training.leaks.fitting import fitted_outside
from app.training.leaks.replicates import conflicting_replicates
from app.training.leaks.sides import judged_columns, mixed_groups, mixed_times
from app.training.leaks.structures import shared_structures, unmerged_replicates
from app.training.leaks.tables import equal_rows
from app.training.material import Material
from app.training.similarity import easy_words, split_similarity
from app.training.splitting import column_cells

MOLECULE_CHECKS = (
    *("same_structure", "same_stereo_parent", "same_tautomer_parent"),
    *("replicates_not_merged", "conflicting_replicates"),
)
CHECKS = ("group_on_both_sides", "learned_from_the_future", "fitted_outside")
COLUMN_CHECKS = ("target_column",)
TABLE_CHECKS = ("same_features",)


def audit(material: Material, features: FittedFeatures) -> dict[str, Any]:
    """{"findings": errors first, "checked": codes}. `features`: those of the final model."""
    learned, tested = _sides(material)
    found = [*fitted_outside(material, features), *_columns(material), *_mixed(material)]
    checked = list(CHECKS)
    if material.dataset.smiles:
        checked += MOLECULE_CHECKS
        found += _molecules(material, learned, tested)
    elif material.cells:
        checked += TABLE_CHECKS
        found += equal_rows(material.cells, material.labels.y, learned, tested)
    if material.columns:
        checked += COLUMN_CHECKS
    found.sort(key=lambda finding: (finding.severity != "error", finding.leak))
    return {
        "findings": [finding.shown(material.dataset.rows) for finding in found],
        "checked": sorted(checked),
    }


def audited(
    material: Material, features: FittedFeatures, context: WorkContext, *, refuse: bool
) -> dict[str, Any]:
    """What a training stores: `leaks`, and of molecules `similarity`; warns of what is found.

    Raises LeakFound for a finding that is an error, when those are refused.
    """
    leaks = audit(material, features)
    errors = [finding for finding in leaks["findings"] if finding["severity"] == "error"]
    if errors and refuse:
        raise LeakFound(
            "; ".join(f"{e['code']}: {e['detail']} (rows {_listed(e)})" for e in errors),
            remedy=" ".join(dict.fromkeys(e["remedy"] for e in errors)),
        )
    for finding in errors:
        context.warn("leak_found", f"{finding['detail']} (rows {_listed(finding)})")
    if not material.dataset.smiles:
        return {"leaks": leaks}
    similarity = split_similarity(material.dataset.smiles, *_sides(material))
    if similarity["easy"]:
        context.warn("easy_split", easy_words(similarity))
    return {"leaks": leaks, "similarity": similarity}


def _listed(finding: dict[str, Any]) -> str:
    shown = ", ".join(map(str, finding["rows"]))
    return shown if finding["count"] <= len(finding["rows"]) else f"{shown}, ..."


def _sides(material: Material) -> tuple[Indices, Indices]:
    return material.usable(material.learned), material.usable(material.split.split.test)


def _molecules(material: Material, learned: Indices, tested: Indices) -> list[Finding]:
    dataset, task, y = material.dataset, material.labels.task, material.labels.y
    rows = np.sort(np.concatenate([learned, tested]))
    return [
        *shared_structures(dataset.smiles, learned, tested),
        *unmerged_replicates(dataset.smiles, rows),
        *conflicting_replicates(dataset, y, task, rows),
    ]


def _columns(material: Material) -> list[Finding]:
    split = material.split.split
    rows = material.usable(np.sort(np.concatenate([material.learned, split.test])))
    labels = material.labels
    return derived_columns(material.columns, material.cells, labels.y, labels.task, rows)


def _mixed(material: Material) -> list[Finding]:
    dataset, spec = material.dataset, material.split.spec
    learned, tested = _sides(material)
    found: list[Finding] = []
    split = splitters.get(spec.name).name
    for name, kind, asked in judged_columns(dataset.columns, split, spec.params.get("column")):
        cells = column_cells(dataset, name, np.arange(dataset.size))
        judge = mixed_groups if kind == "group" else mixed_times
        found += judge(name, cells or [None] * dataset.size, learned, tested, asked=asked)
    return found
