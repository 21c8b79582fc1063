"""What the model uses: its own importances by name, by featurizer, and as substructures; or what it
lost when features were shuffled.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from app.chem.environments import column_environments, draw_environment
from app.core.errors import UnknownName
from app.core.requests import PluginSpec
from app.features.compute import FeatureSet
from app.featurizers.base import Featurizer
from app.featurizers.morgan_generator import morgan_generator
from app.metrics.across_targets import needs_scales
from app.metrics.base import metrics
from app.reporting.stored import StoredModel
from app.reporting.wording import counted, metric_label, percent, said

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
    """{"features": [{name, group, percent, coefficient}], "groups": [{name, percent}], "of",
    "hashed": names of hashed featurizers, "drawn": substructures, "coefficients": what they are,
    or ""}; None for an algorithm without importances. Of several targets the mean over them.
    Percent of the whole model; coefficients are those of a linear model of one target.
    """
    stored = (model.manifest.get("facts") or {}).get("importances") or {}
    shares = _mean_over_targets(stored)
    if not shares:
        return None
    origin = _origins(model)
    coefficients = _coefficients(model)
    features = [
        {
            "name": name,
            "group": _group(name, origin, model),
            "percent": 100 * share,
            "coefficient": coefficients.get(name),
        }
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
        "coefficients": _meaning(model) if coefficients else "",
    }


def shuffled(model: StoredModel) -> dict[str, Any] | None:
    """What training has measured of an algorithm without importances of its own: {"features":
    [{name, columns, loss, std, unit, share}], "title", "about"}, most first; `loss` is said in
    words, `share` of the largest is 0 to 1. {"why"} where it was not measured, None of a model of
    an earlier release, or one with importances. Of several targets the mean over them: of errors,
    whose units differ, relative to the error of each.
    """
    stored = model.section("importance")
    if not stored or stored["method"] == "none":
        return {"why": stored["why"]} if stored else None
    metric, targets = stored["metric"], stored["targets"]
    relative = needs_scales(metric, len(targets))
    losses = _mean_losses(targets, relative=relative)
    if not losses:
        return {"why": "it makes no error on the test rows"}
    unit = model.unit(next(iter(targets))) if metrics.get(metric).has_unit and not relative else ""
    largest = max(loss for loss, _ in losses.values())
    columns = {one["name"]: one["columns"] for found in targets.values() for one in found["losses"]}
    features = [
        {
            "name": name,
            "columns": columns[name],
            "loss": _signed(loss, relative=relative),
            "std": _unsigned(std, relative=relative),
            "unit": unit,
            "share": max(0.0, loss / largest) if largest > 0 else 0.0,
        }
        for name, (loss, std) in sorted(losses.items(), key=lambda pair: -pair[1][0])[:_SHOWN]
    ]
    return {
        "features": features,
        "title": f"{'rise' if _is_error(metric) else 'loss'} of {metric_label(metric)}",
        "about": _measured_words(stored, model, relative=relative),
    }


def _mean_losses(targets: Mapping[str, Any], *, relative: bool) -> dict[str, tuple[float, float]]:
    """Of each feature: loss and standard deviation, the mean over the targets."""
    found: dict[str, list[tuple[float, float]]] = {}
    for told in targets.values():
        scale = told["score"] if relative else 1.0
        for one in told["losses"] if scale else []:
            found.setdefault(one["name"], []).append((one["loss"] / scale, one["std"] / scale))
    return {name: (_mean(pairs, 0), _mean(pairs, 1)) for name, pairs in found.items()}


def _mean(pairs: Sequence[tuple[float, float]], place: int) -> float:
    return float(np.mean([pair[place] for pair in pairs]))


def _signed(loss: float, *, relative: bool) -> str:
    sign = "+" if loss > 0 else "-" if loss < 0 else ""
    return sign + _unsigned(abs(loss), relative=relative)


def _unsigned(value: float, *, relative: bool) -> str:
    return percent(value) if relative else said(value)


def _is_error(metric: str) -> bool:
    return bool(metrics.get(metric).direction == "minimize")


def _measured_words(stored: Mapping[str, Any], model: StoredModel, *, relative: bool) -> str:
    listed, of = len(next(iter(stored["targets"].values()))["losses"]), stored["of"]
    what = "all columns of a featurizer, as one block," if stored["blocks"] else "a feature"
    text = (
        f"{model.manifest['algorithm']} has no importance of its own, so it was measured when the"
        f" model was trained: how much worse {metric_label(stored['metric'])} gets when {what} is"
        f" shuffled among {counted(stored['rows'], 'test row')}; mean ± standard deviation of"
        f" {stored['shuffles']} shuffles."
    )
    if relative:
        text += " Each target's, relative to its error with nothing shuffled."
    if len(stored["targets"]) > 1:
        text += f" Mean over {len(stored['targets'])} targets."
    if listed < of:
        text += f" Tried were the {listed} of {of} features that correlate most with the target."
    return f"{text} What is no larger than its standard deviation may be nothing."


def _coefficients(model: StoredModel) -> dict[str, float]:
    """Of the one target; a mean over several would mean nothing."""
    stored = (model.manifest.get("facts") or {}).get("coefficients") or {}
    return dict(next(iter(stored.values()))) if len(stored) == len(model.targets) == 1 else {}


def _meaning(model: StoredModel) -> str:
    target = model.targets[0]
    if model.is_classification:
        what = f'the log odds of "{model.classes(target)[1]}" change'
    else:
        what = f"the answer changes{f', in {model.unit(target)},' if model.unit(target) else ''}"
    return (
        f"Beside each share its standardized coefficient: what {what} by when the feature rises by"
        " one standard deviation of the training rows and all others stay."
    )


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
