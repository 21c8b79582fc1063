"""How to make the model again: the request, as a command and for the Python client."""

import json
import pprint
import shlex
from typing import Any

from app.reporting.stored import StoredModel

#: what the manifest says about a split beside the request
_NOT_ASKED = ("hash", "sizes")
_WIDTH = 76
#: of a calibration, unless the request says otherwise
_FOLDS = 5
#: by method, how a request says it; models of earlier releases had one way only
_CALIBRATIONS = {"cross_conformal": "cross", "split_conformal": "split"}


def request(model: StoredModel) -> dict[str, Any]:
    """The params of the train job, all said: what later defaults are does not matter."""
    manifest = model.manifest
    split = {k: v for k, v in manifest["split"].items() if k not in _NOT_ASKED}
    asked = {
        "dataset": manifest["dataset"]["ref"],
        "targets": model.targets,
        "task": model.task,
        "algorithm": {"name": manifest["algorithm"], "params": dict(manifest["hyperparameters"])},
        "features": [dict(spec) for spec in manifest["features"]],
        "split": split,
        "seed": manifest["seed"],
        "name": manifest["name"],
    }
    calibration = manifest.get("calibration") or {}
    if calibration.get("method") in _CALIBRATIONS:
        asked["calibration"] = _CALIBRATIONS[calibration["method"]]
    if "folds" in calibration:
        asked["calibration_folds"] = calibration["folds"]
    return asked


def command(model: StoredModel) -> str | None:
    """`retort train ...`; None where only the client can say it: parameters of features, two
    seeds, another number of folds.
    """
    asked = request(model)
    split, features = asked["split"], asked["features"]
    if any(spec.get("params") for spec in features) or split["seed"] != asked["seed"]:
        return None
    if asked.get("calibration_folds", _FOLDS) != _FOLDS:
        return None
    words = ["retort", "train", asked["dataset"]]
    for target in asked["targets"]:
        words += ["--target", target]
    words += ["--task", asked["task"], "--algorithm", asked["algorithm"]["name"]]
    for name, value in asked["algorithm"]["params"].items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    words += ["--features", ",".join(spec["name"] for spec in features)]
    words += ["--split", split["name"]]
    for name, value in split.get("params", {}).items():
        words += ["--split-set", f"{name}={json.dumps(value)}"]
    if "calibration" in asked:
        words += ["--calibration", asked["calibration"]]
    words += ["--seed", str(asked["seed"]), "--name", asked["name"]]
    return _wrapped(words)


def _wrapped(words: list[str]) -> str:
    """Quoted for a shell, one option a line where it would be long."""
    lines = [""]
    quoted = (shlex.quote(word) for word in words)
    for word in quoted:
        if word.startswith("--") and len(lines[-1]) + len(word) > _WIDTH:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)


def python(model: StoredModel) -> str:
    """The same for the Python client."""
    asked = request(model)
    dataset = asked.pop("dataset")
    given = "".join(
        f"    {name}={pprint.pformat(value, width=84, sort_dicts=False, indent=1)},\n"
        for name, value in asked.items()
    )
    return f"from retort import Retort\n\nRetort().train(\n    {dataset!r},\n{given})\n"
