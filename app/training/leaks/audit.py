"""The leak audit: what models could know of the test rows, and should not.

Reference: Kapoor & Narayanan 2023, Patterns 4, 100804 (a taxonomy of leakage).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from app.core.errors import LeakFound
from app.core.work import WorkContext
from app.features.fitted import FittedFeatures
from app.storage import Storage, keys
from app.training.leaks.findings import Finding, Sides
from app.training.leaks.fitting import fitted_outside
from app.training.leaks.scope import Scope
from app.training.material import Material
from app.training.params import Leaks
from app.training.similarity import easy_words, split_similarity

#: {"leaks": {"findings", "checked"}}, and of molecules "similarity"
Audit = Mapping[str, Any]


def audit(material: Material, features: FittedFeatures | None) -> Audit:
    """Of a training. `features`: those of the final model; None of a search, which has none yet:
    each of its folds learns its own.
    """
    scope = Scope(
        dataset=material.dataset,
        labels=material.labels,
        columns=material.columns,
        cells=material.cells,
        split=material.split.spec,
        sides=[(material.usable(material.learned), material.usable(material.split.split.test))],
    )
    if features is None:
        return _told(scope, scope.findings(), scope.checks, scope.sides)
    found = [*fitted_outside(material, features), *scope.findings()]
    return _told(scope, found, ["fitted_outside", *scope.checks], scope.sides)


def audit_folds(scope: Scope, first: int) -> Audit:
    """Of a comparison, whose models are fitted inside each fold alone. The similarity is that of
    the `first` sides: those of one repeat.
    """
    return _told(scope, scope.findings(), scope.checks, scope.sides[:first])


def _told(scope: Scope, found: Sequence[Finding], checked: Sequence[str], sides: Sides) -> Audit:
    """Findings come errors first."""
    ordered = sorted(found, key=lambda finding: (finding.severity != "error", finding.leak))
    leaks = {
        "findings": [finding.shown(scope.dataset.rows) for finding in ordered],
        "checked": sorted(checked),
    }
    if not scope.dataset.smiles:
        return {"leaks": leaks}
    return {"leaks": leaks, "similarity": split_similarity(scope.dataset.smiles, sides)}


def refuse_leaks(found: Audit, leaks: Leaks) -> None:
    """Raises LeakFound for findings that are not to be merely reported."""
    refused = {"report": [], "refuse": errors_of(found), "refuse_all": _findings(found)}[leaks]
    if refused:
        raise LeakFound(
            "; ".join(f"{e['code']}: {e['detail']} (rows {_listed(e)})" for e in refused),
            remedy=" ".join(dict.fromkeys(e["remedy"] for e in refused)),
        )


def warn_of_leaks(found: Audit, context: WorkContext) -> None:
    """Of errors, and of a split that is easy."""
    for finding in errors_of(found):
        context.warn("leak_found", f"{finding['detail']} (rows {_listed(finding)})")
    if easy := easy_split(found):
        context.warn("easy_split", easy)


def errors_of(found: Audit) -> list[dict[str, Any]]:
    return [finding for finding in _findings(found) if finding["severity"] == "error"]


def _findings(found: Audit) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = (found.get("leaks") or {}).get("findings", [])
    return findings


def easy_split(found: Audit) -> str:
    """A sentence where the test molecules are too like those that are learned from; else empty."""
    similarity = found.get("similarity")
    return easy_words(similarity) if similarity and similarity["easy"] else ""


def _listed(finding: Mapping[str, Any]) -> str:
    shown = ", ".join(map(str, finding["rows"]))
    return shown if finding["count"] <= len(finding["rows"]) else f"{shown}, ..."


# ---- from a job's plan to its end


def keep_audit(storage: Storage, job_id: UUID, attempt: int, found: Audit) -> None:
    """`attempt`: that of the plan."""
    storage.write(_key(job_id, attempt), orjson.dumps(found))


def kept_audit(storage: Storage, job_id: UUID, attempt: int) -> Audit:
    """Empty where the plan was made by a release that did not look."""
    key = _key(job_id, attempt)
    found: Audit = orjson.loads(storage.read(key)) if storage.exists(key) else {}
    return found


def _key(job_id: UUID, attempt: int) -> str:
    return keys.work(job_id, attempt, "audit.json")
