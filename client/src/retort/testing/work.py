"""What each kind of job does when it runs in memory; each returns (result, counts)."""

import json
from collections.abc import Callable
from typing import Any

from retort.testing.files import add_file
from retort.testing.science import (
    columns_of,
    csv_text,
    looks_like_smiles,
    metrics_of,
    predict_one,
    read_rows,
)
from retort.testing.state import Json, Refused, State, digest, model_of, new_id, now, versioned

Outcome = tuple[Json, Json]


def _rows_of_file(state: State, file_id: str) -> list[Json]:
    return read_rows(state.contents[state.files[file_id]["sha256"]])


def ingest(state: State, job: Json) -> Outcome:
    params = job["params"]
    dataset = state.datasets[params["dataset_id"]]
    rows = _rows_of_file(state, params["file_id"])
    roles = params.get("roles") or {}
    kind = params.get("kind", "auto")
    named = any(name.lower() in ("smiles", "smi") for name in rows[0])
    if kind == "auto":
        kind = "molecule" if named or "smiles" in roles.values() else "table"
    columns = columns_of(rows, roles, kind)
    smiles = next((c["name"] for c in columns if c["role"] == "smiles"), None)
    kept, rejected, merged = _accounted(rows, smiles, params.get("duplicates", "auto"))
    if len(rejected) > len(rows) * params.get("max_bad_fraction", 0.5):
        raise Refused(422, "rows_refused", f"{len(rejected)} of {len(rows)} rows are refused")
    counts = {
        "rows_in": len(rows),
        "rows_ok": len(kept),
        "rows_rejected": len(rejected),
        "rows_merged": merged,
    }
    dataset.update(counts, columns=columns, kind=kind, state="ready", sha256=digest(kept))
    state.rows[dataset["id"]] = kept
    reasons = {"the SMILES cannot be read": len(rejected)} if rejected else {}
    state.reports[dataset["id"]] = {
        "dataset": dataset["ref"],
        "counts": counts,
        "reasons": reasons,
        "columns": columns,
        "duplicates": {"conflicts": 0, "named": []},
        "rejected": rejected,
        "notes": [],
    }
    return {"dataset_id": dataset["id"], "ref": dataset["ref"], **counts}, counts


def _accounted(
    rows: list[Json], smiles: str | None, duplicates: str
) -> tuple[list[Json], list[Json], int]:
    """(kept, rejected, merged): together they are all rows."""
    kept, rejected, seen = [], [], set()
    merged = 0
    for number, row in enumerate(rows, start=1):
        if smiles is not None and not looks_like_smiles(row[smiles] or ""):
            reason = "the SMILES cannot be read"
            rejected.append({"row": number, "value": row[smiles], "reason": reason})
        elif smiles is not None and row[smiles] in seen and duplicates != "keep_all":
            merged += 1
        else:
            kept.append(row)
            seen.add(row[smiles] if smiles is not None else number)
    return kept, rejected, merged


def featurize(state: State, job: Json) -> Outcome:
    dataset = versioned(state.datasets, job["params"]["dataset"], "data set")
    key = digest([dataset["id"], job["params"].get("features")])
    rows = len(state.rows.get(dataset["id"], []))
    return {"rows": rows, "width": 8, "cached": False, "key": key, "fake": True}, {}


def train(state: State, job: Json) -> Outcome:
    params = job["params"]
    algorithm = (params.get("algorithm") or {}).get("name", "consensus")
    model = _new_model(state, job, algorithm, (params.get("algorithm") or {}).get("params") or {})
    result = {
        "model_id": model["id"],
        "model_ref": model["ref"],
        "algorithm": algorithm,
        "task": model["task"],
        "metrics": model["metrics"],
        "device": "cpu",
        "seconds": 0.0,
        "fake": True,
    }
    if params.get("alias"):
        result["alias"] = model.pop("alias_told")
    return result, {}


def _new_model(state: State, job: Json, algorithm: str, hyperparameters: Json) -> Json:
    params = job["params"]
    dataset = versioned(state.datasets, params["dataset"], "data set")
    known = [c["name"] for c in dataset["columns"] if c["role"] == "target"]
    targets = list(params.get("targets") or known)
    names = [column["name"] for column in dataset["columns"]]
    if not targets or (wrong := [name for name in targets if name not in names]):
        said = f"no target column {wrong[0]!r}" if targets else "no target column"
        raise Refused(422, "unknown_name", f"the data set has {said}", f"Use one of {names}.")
    name = params.get("name") or dataset["name"]
    number = 1 + sum(model["name"] == name for model in state.models.values())
    model = {
        "id": new_id(),
        "name": name,
        "number": number,
        "ref": f"{name}:{number}",
        "task": "regression",
        "algorithm": algorithm,
        "hyperparameters": hyperparameters,
        "targets": [{"name": target} for target in targets],
        "metrics": metrics_of(targets, digest([algorithm, hyperparameters])),
        "dataset_id": dataset["id"],
        "imported_from": None,
        "split_id": new_id(),
        "job_id": job["id"],
        "device": "cpu",
        "feature_set_hash": digest(params.get("features")),
        "aliases": [],
        "mlflow_run_id": None,
        "sha256": digest(params),
        "training_config": params,
        "created_at": now(),
        "state": "candidate",
        "labels": {},
        "description": "",
        "semver": None,
        "archived_at": None,
        "fake": True,
    }
    state.models[model["id"]] = model
    if params.get("alias"):
        model["alias_told"] = _aliased(state, model, params["alias"])
    return model


def _aliased(state: State, model: Json, alias: str) -> Json:
    """As of a training: an alias with a policy is left to a person."""
    policy = state.policies.get((model["name"], alias))
    if policy is not None and policy["required"]:
        why = f"{model['name']}@{alias} has a policy: promote {model['ref']} through its gate"
        return {"alias": alias, "set": False, "why": why}
    point(state, model, alias, "trained")
    return {"alias": alias, "set": True}


def point(
    state: State, model: Json, alias: str, note: str, kind: str = "promoted", gate: Any = None
) -> Json:
    """The alias as it is then, and the move in the history."""
    name, number = model["name"], model["number"]
    before = state.aliases.get((name, alias), {}).get("version")
    stack = state.holders.setdefault((name, alias), [])
    if not stack or stack[-1] != number:
        stack.append(number)
    changed = {"note": note, "changed_at": now(), "changed_by": "fake", "etag": f'"{new_id()}"'}
    entry = {"alias": alias, "version": number, **changed}
    state.aliases[name, alias] = entry
    remember(state, name, alias, kind, before, number, note, gate)
    return entry | {"before": before, "gate": gate}


def remember(
    state: State,
    name: str,
    alias: str,
    kind: str,
    before: int | None,
    after: int | None,
    note: str = "",
    gate: Any = None,
) -> None:
    move_id = new_id()
    move = {"id": move_id, "alias": alias, "kind": kind, "before": before, "after": after}
    said = {"note": note, "by": "fake", "at": now(), "evaluation_id": None, "gate": gate}
    state.moves[move_id] = {**move, **said, "name": name}


def optimize(state: State, job: Json) -> Outcome:
    params = job["params"]
    best = {"n_estimators": 500}
    algorithm = params.get("algorithm", "lightgbm")
    model = _new_model(state, job, algorithm, best)
    told = model.pop("alias_told", None)
    study = {
        "id": new_id(),
        "job_id": job["id"],
        "algorithm": algorithm,
        "metric": "rmse",
        "direction": "minimize",
        "n_trials": params.get("n_trials", 20),
        "best": best,
        "model_id": model["id"],
        "created_at": now(),
    }
    state.studies[study["id"]] = study
    result = {
        "study_id": study["id"],
        "best_params": best,
        "best_value": 0.5,
        "default_value": 0.6,
        "metric": "rmse",
        "n_trials": study["n_trials"],
        "model_id": model["id"],
        "model_ref": model["ref"],
        "metrics": model["metrics"],
        "fake": True,
    }
    if told is not None:
        result["alias"] = told
    return result, {}


def compare(state: State, job: Json) -> Outcome:
    """Scores from the names alone; the first is a little better than the next, and no more."""
    params = job["params"]
    dataset = versioned(state.datasets, params["dataset"], "data set")
    known = [column["name"] for column in dataset["columns"]]
    targets = list(params.get("targets") or ())
    if wrong := [name for name in targets if name not in known]:
        raise Refused(422, "unknown_name", f"the data set has no target column {wrong[0]!r}")
    names = [
        one.get("name") or f"{one['algorithm']['name']}{f' #{number}' if number > 1 else ''}"
        for number, one in enumerate(params["candidates"], start=1)
    ]
    scored = [
        {"name": name, "mean": 0.5 + n / 100, "std": 0.05, "low": 0.4, "high": 0.6, "group": "a"}
        for n, name in enumerate(names)
    ]
    metric = next(iter(params.get("metrics") or ()), "rmse")
    result: Json = {
        "dataset": {"ref": dataset["ref"], "sha256": dataset["sha256"]},
        "metric": metric,
        "metrics": {
            metric: {
                "direction": "minimize",
                "n_folds": params.get("folds", 5) * params.get("repeats", 5),
                "baseline": {"mean": 0.9},
                "candidates": scored,
                "pairs": [],
            }
        },
        "winner": None,
        "conclusion": f"{names[0]} cannot be told apart from the others by {metric}.",
        "caution": ["These are numbers of a server in memory."],
        "y_scrambling": {},
        "learning_curve": {},
        "fit_seconds": dict.fromkeys(names, 0.0),
        "findings": [],
        "leaks": {"findings": [], "checked": []},
        "fake": True,
    }
    content = json.dumps(result).encode()
    for name in ("comparison.json", "scores.parquet", "comparison.html"):
        add_file(state, name, content, role="comparison", job_id=job["id"])
    return result, {}


def evaluate(state: State, job: Json) -> Outcome:
    model = model_of(state, job["params"]["model"])
    own = model["dataset_id"]
    if own is None and not job["params"].get("dataset"):
        raise Refused(422, "invalid_input", "the model was imported: name a data set")
    named = job["params"].get("dataset")
    dataset = state.datasets[own] if own else versioned(state.datasets, named, "data set")
    targets = [target["name"] for target in model["targets"]]
    evaluated = max(1, (dataset["rows_ok"] or 0) // 10)
    evaluation = {
        "id": new_id(),
        "model_id": model["id"],
        "dataset_id": dataset["id"],
        "job_id": job["id"],
        "part": job["params"].get("part") or "test",
        "metrics": model["metrics"]["test"],
        "baseline": model["metrics"]["baseline"],
        "mean": model["metrics"].get("mean") or {},
        "baseline_mean": model["metrics"].get("baseline_mean") or {},
        "noise_ceiling": {},
        "targets": {target: {"residuals": {}} for target in targets},
        "feature_importance": {"method": "fake", "targets": {t: [["x", 1.0]] for t in targets}},
        "rows": {"total": evaluated, "evaluated": evaluated, "refused": 0, "reasons": {}},
        "created_at": now(),
        "fake": True,
    }
    state.evaluations[evaluation["id"]] = evaluation
    result = {
        "evaluation_id": evaluation["id"],
        "model_id": model["id"],
        "model_ref": model["ref"],
        "dataset": dataset["ref"],
        "task": model["task"],
        **{n: v for n, v in evaluation.items() if n not in ("id", "job_id", "created_at")},
        "fake": True,
    }
    return result, {}


def predict(state: State, job: Json) -> Outcome:
    params = job["params"]
    model = model_of(state, params["model"])
    if params.get("dataset"):
        rows = state.rows[versioned(state.datasets, params["dataset"], "data set")["id"]]
    else:
        rows = _rows_of_file(state, params["file_id"])
    column = params.get("smiles_column") or next(
        (name for name in rows[0] if name.lower() in ("smiles", "smi")), None
    )
    flat: list[Json] = []
    for number, row in enumerate(rows, start=1):
        given: Any = {"features": row} if column is None else row[column]
        answer = predict_one(model, given)
        flat.append(
            {
                "row": number,
                "id": row.get("id", ""),
                "status": answer["status"],
                "reason": answer["reason"] or "",
                **{name: found["value"] for name, found in answer["targets"].items()},
            }
        )
    names = ["row", "id", "status", "reason", *(t["name"] for t in model["targets"])]
    content = csv_text(flat, names).encode()
    add_file(state, "predictions.csv", content, role="predictions", job_id=job["id"])
    ok = sum(row["status"] == "ok" for row in flat)
    counts = {"rows_total": len(flat), "rows_ok": ok, "rows_failed": len(flat) - ok}
    return {"model_id": model["id"], "chunks": 1, "fake": True}, counts


def predict_structure(state: State, job: Json) -> Outcome:
    params = job["params"]
    answers = []
    for ref in params["models"]:
        model = model_of(state, ref)
        answer = predict_one(model, params["structure"])
        said = {name: answer[name] for name in ("canonical_smiles", "status", "reason", "targets")}
        known = {"id": model["id"], "name": model["name"], "version": model["number"]}
        answers.append({"ref": ref, **known, **said})
    ok = sum(answer["status"] == "ok" for answer in answers)
    data = {"structure": params["structure"], "models": answers, "consensus": {}, "fake": True}
    counts = {"models_total": len(answers), "models_ok": ok, "models_failed": len(answers) - ok}
    return {"data": data}, counts


def export(state: State, job: Json) -> Outcome:
    """A bundle is JSON here: what an import of this server reads."""
    model = model_of(state, job["params"]["model"])
    format_ = job["params"].get("format", "bundle")
    ending = "onnx" if format_ == "onnx" else "zip"
    name = f"{model['name']}-{model['number']}-{format_}.{ending}"
    content = json.dumps({"format": format_, "model": model}, sort_keys=True).encode()
    file = add_file(state, name, content, role="bundle", job_id=job["id"])
    said = {"file": name, "file_id": file["id"], "size": file["size"], "sha256": file["sha256"]}
    ref = {"model_id": model["id"], "model_ref": model["ref"], "format": format_}
    said |= {"signed_by": None} if format_ == "bundle" else {}
    return {**ref, **said, "seconds": 0.0, "fake": True}, {"files": 1}


def import_model(state: State, job: Json) -> Outcome:
    params = job["params"]
    file = state.files[params["file_id"]]
    if params.get("sha256") not in (None, file["sha256"]):
        raise Refused(422, "bundle_altered", "the file's SHA-256 is not the one given")
    try:
        source = json.loads(state.contents[file["sha256"]])["model"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(422, "bundle_refused", "the file is no bundle") from error
    name = params.get("name") or source["name"]
    number = 1 + sum(model["name"] == name for model in state.models.values())
    said = {"name": source["name"], "number": source["number"], "sha256": file["sha256"]}
    said["signed_by"] = None
    model = {
        **source,
        "id": new_id(),
        "name": name,
        "number": number,
        "ref": f"{name}:{number}",
        "dataset_id": None,
        "split_id": None,
        "job_id": job["id"],
        "imported_from": {**said, "file_id": file["id"]},
        "created_at": now(),
    }
    state.models[model["id"]] = model
    return {"model_id": model["id"], "model_ref": model["ref"], "fake": True}, {"files": 1}


WORK: dict[str, Callable[[State, Json], Outcome]] = {
    "ingest": ingest,
    "featurize": featurize,
    "train": train,
    "optimize": optimize,
    "compare": compare,
    "evaluate": evaluate,
    "predict": predict,
    "predict_structure": predict_structure,
    "export": export,
    "import_model": import_model,
}
