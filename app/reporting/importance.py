"""What the model uses: its own importances by name, by featurizer, and as substructures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from app.chem.environments import column_environments, draw_environment
from app.core.errors import UnknownName
from app.core.requests import PluginSpec
from app.features.compute import FeatureSet
from app.featurizers.base import Featurizer
from app.featurizers.morgan_generator import morgan_generator
from app.reporting.stored import StoredModel

_SHOWN = 20
_DRAWN = 8
#: molecules that are looked through for a substructure
_SEARCHED = 400
_MORGAN = ("morgan_bits", "morgan_counts")
_NAMED_KEYS = frozenset({"maccs"})

WARNING = (
    "Importance says what this model uses, not what causes the property. Features that go together"
    " share it by chance: one may have all of it and its twin none."
)
HASHED = (
    "{names}: hashed, so each column counts every substructure that falls on its number, and"
    " different substructures share a column. A high number of such a column is a hint where to"
    " look, not a finding about a group."
)


def importance(model: StoredModel, *, draw: bool = True) -> dict[str, Any] | None:
    """{"features": [{name, group, percent}], "groups": [{name, percent}], "of", "hashed": names of
    hashed featurizers, "drawn": substructures}; None for an algorithm without importances.
    Of several targets the mean over them. Percent of the whole model.
    """
    stored = (model.manifest.get("facts") or {}).get("importances") or {}
    shares = _mean_over_targets(stored)
    if not shares:
        return None
    origin = _origins(model)
    features = [
        {"name": name, "group": _group(name, origin, model), "percent": 100 * share}
        for name, share in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[:_SHOWN]
    ]
    groups: dict[str, float] = {}
    for name, share in shares.items():
        group = _group(name, origin, model)
        groups[group] = groups.get(group, 0.0) + 100 * share
    return {
        "features": features,
        "groups": [
            {"name": name, "percent": percent}
            for name, percent in sorted(groups.items(), key=lambda pair: -pair[1])
        ],
        "listed": 100 * sum(shares.values()),
        "n_listed": len(shares),
        "n_targets": len(stored),
        "hashed": _hashed(features, origin),
        "drawn": _drawn_columns(model, features, origin) if draw else [],
    }


def _mean_over_targets(stored: dict[str, Any]) -> dict[str, float]:
    total: dict[str, float] = {}
    for ranked in stored.values():
        for name, share in ranked:
            total[name] = total.get(name, 0.0) + float(share) / len(stored)
    return total


def _origins(model: StoredModel) -> dict[str, Featurizer]:
    """Feature column -> the featurizer that makes it; empty when this release lacks one of them."""
    try:
        features = FeatureSet([PluginSpec(**spec) for spec in model.manifest["features"]])
    except UnknownName:
        return {}
    return {name: f for f in features.featurizers for name in f.columns()}


def _group(name: str, origin: dict[str, Featurizer], model: StoredModel) -> str:
    if name in origin:
        return origin[name].name
    columns = [column["name"] for column in model.manifest.get("columns") or []]
    own = [column for column in columns if name == column or name.startswith(f"{column} ")]
    return max(own, key=len) if own else "columns"


def _hashed(features: Sequence[dict[str, Any]], origin: dict[str, Featurizer]) -> list[str]:
    found = {
        origin[feature["name"]].name
        for feature in features
        if feature["name"] in origin
        and origin[feature["name"]].output != "floats"
        and origin[feature["name"]].name not in _NAMED_KEYS
    }
    return sorted(found)


def _drawn_columns(
    model: StoredModel, features: Sequence[dict[str, Any]], origin: dict[str, Featurizer]
) -> list[dict[str, Any]]:
    """Of the first Morgan columns: the feature with {svg, molecules, of, environments}."""
    asked = [f for f in features if _is_morgan(origin.get(f["name"]))][:_DRAWN]
    smiles = _sample(model) if asked else []
    found = []
    for feature in asked:
        featurizer: Any = origin[feature["name"]]
        column = featurizer.columns().index(feature["name"])
        params = featurizer.params
        generator = morgan_generator(params, use_features=params.use_features)
        seen = column_environments(smiles, generator, params.fp_size, [column])[column]
        if seen.places:
            # S704: RDKit writes it from a parsed structure
            svg = Markup(draw_environment(seen.places[0]))  # noqa: S704
            facts = {"molecules": seen.molecules, "of": len(smiles), "svg": svg}
            found.append({**feature, **facts, "environments": len(seen.places)})
    return found


def _is_morgan(featurizer: Featurizer | None) -> bool:
    return featurizer is not None and featurizer.name in _MORGAN


def _sample(model: StoredModel) -> list[str]:
    """Different molecules of the rows, evenly taken."""
    smiles = list(dict.fromkeys(text for text in model.smiles if text))
    kept = np.unique(np.linspace(0, len(smiles) - 1, min(_SEARCHED, len(smiles))).astype(int))
    return [smiles[i] for i in kept] if smiles else []
