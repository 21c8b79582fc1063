"""Numbers that look like science and are hashes: the same every time, and no use for anything."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from retort.inputs import SMILES_NAMES
from retort.testing.state import Json, Refused, digest


def looks_like_smiles(text: str) -> bool:
    """Balanced, without blanks: enough to tell `CCO` from `C1CC(`."""
    if not text or any(c.isspace() for c in text):
        return False
    rings = [c for c in text if c.isdigit()]
    balanced = text.count("(") == text.count(")") and text.count("[") == text.count("]")
    return balanced and text[0].isalpha() | (text[0] == "[") and len(rings) % 2 == 0


def value_of(model: Mapping[str, Any], target: str, features: Any) -> float:
    """Between -5 and 5."""
    return int(digest([model["ref"], target, features])[:8], 16) / 0xFFFFFFFF * 10 - 5


def predict_one(model: Mapping[str, Any], given: Any) -> Json:
    """One answer as POST /predictions gives it."""
    row = given if isinstance(given, dict) else {"smiles": given}
    features = row.get("features", row.get("smiles"))
    shown = row.get("smiles", features)
    answer = {
        "id": row.get("id"),
        "input": shown,
        "fake": True,
        "canonical_smiles": None,
        "cached": False,
    }
    if "features" not in row and not looks_like_smiles(str(features)):
        reason = "the SMILES is empty" if not features else "RDKit cannot read this SMILES"
        return {**answer, "status": "error", "reason": reason, "targets": {}}
    targets = {}
    for target in model["targets"]:
        value = value_of(model, target["name"], features)
        targets[target["name"]] = {
            "value": value,
            "interval": [value - 1.0, value + 1.0],
            "level": 0.9,
            "confidence": 0.5,
        }
    canonical = None if "features" in row else features
    return {
        **answer,
        "canonical_smiles": canonical,
        "status": "ok",
        "reason": None,
        "targets": targets,
        "domain": _domain(model, features),
    }


def _domain(model: Mapping[str, Any], features: Any) -> Json:
    """What POST /predictions says beside the numbers: one invented neighbour."""
    known = features if isinstance(features, str) else None
    measured = {
        target["name"]: value_of(model, target["name"], features) for target in model["targets"]
    }
    row = {"row": 1, "smiles": known, "similarity": 1.0, "measured": measured}
    where = {"inside": True, "outside_by": [], "similarity": 1.0, "leverage": 0.1}
    return {**where, "nearest": [row]}


def metrics_of(targets: list[str], seed: str) -> Json:
    """Test metrics of each target, always better than the baseline."""
    test, baseline = {}, {}
    for target in targets:
        rmse = 0.5 + int(digest([seed, target])[:4], 16) / 0xFFFF / 2
        test[target] = {"rmse": {"value": rmse, "ci_low": rmse - 0.1, "ci_high": rmse + 0.1}}
        baseline[target] = {"rmse": {"value": 2.0, "ci_low": None, "ci_high": None}}
    values = [found["rmse"]["value"] for found in test.values()]
    mean = {"rmse": {"value": sum(values) / len(values)}}
    return {"test": test, "baseline": baseline, "mean": mean}


def read_rows(content: bytes) -> list[Json]:
    """Raises Refused, as a job's problem, for what is no CSV with rows."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(422, "not_a_table", "the file is no table") from error
    rows: list[Json] = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise Refused(422, "no_rows", "the file has a header but no data row")
    return rows


def columns_of(rows: list[Json], roles: Mapping[str, str], kind: str) -> list[Json]:
    """Guessed: the SMILES by its name, `id`, numbers as targets. Raises Refused."""
    names = list(rows[0])
    if wrong := [name for name in roles if name not in names]:
        nearest = ", ".join(map(repr, names))
        raise Refused(
            422, "unknown_name", f"the file has no column {wrong[0]!r}", f"Nearest: {nearest}."
        )
    columns = []
    for name in names:
        numeric = all(_is_number(row[name]) for row in rows)
        role = roles.get(name) or _guess(name, numeric=numeric, kind=kind, said=roles)
        columns.append(
            {
                "name": name,
                "role": role,
                "type": "structure" if role == "smiles" else "number" if numeric else "text",
                "unit": None,
            }
        )
    if kind == "molecule" and not any(column["role"] == "smiles" for column in columns):
        raise Refused(422, "no_structure_column", "no column holds molecules")
    return columns


def _guess(name: str, *, numeric: bool, kind: str, said: Mapping[str, str]) -> str:
    if name.lower() in SMILES_NAMES and kind != "table":
        return "smiles"
    if name.lower() in ("id", "name"):
        return "id"
    if numeric and "target" not in said.values():
        return "target"
    return "feature" if kind == "table" else "ignore"


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


def csv_text(rows: list[Json], names: list[str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
