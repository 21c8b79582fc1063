"""What a training leaves, made up: every field that a report may find, of numbers or classes."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.reporting.stored import StoredModel

#: carbon chains with a group: different, small, drawn in a moment
SMILES = [f"{'C' * n}{group}" for n in range(1, 26) for group in ("O", "N", "Cl", "c1ccccc1")]
N_TEST = 40
LEVEL = 0.9


def figure(value, half=0.05):
    return {"value": value, "ci_low": value - half, "ci_high": value + half}


def number_model(*targets, **changed):
    """Numbers y = row / 10 with an error of alternating sign that grows with the stated sd."""
    targets = targets or ("logS",)
    n = len(SMILES)
    spread = np.linspace(0.1, 1.0, n)
    columns = _shared(n)
    for number, target in enumerate(targets):
        y = np.arange(n) / 10 + number
        predicted = y + spread * np.where(np.arange(n) % 2, 1.0, -1.0) / 2
        columns |= {
            target: y,
            f"{target}_predicted": predicted,
            f"{target}_lower": predicted - spread,
            f"{target}_upper": predicted + spread,
            f"{target}_std": spread,
            f"{target}_confidence": 1 - spread,
        }
    metrics = _metrics(targets, {"rmse": figure(0.5), "r2": figure(0.9)}, {"rmse": figure(2.0)})
    metrics["uncertainty"] = {
        t: {
            "method": "conformal",
            "level": LEVEL,
            "n": n - N_TEST,
            "coverage": figure(1.0),
            "mean_width": 1.1,
            "confident_half": {"error": 0.2, "other_error": 0.4, "ratio": 0.5},
        }
        for t in targets
    }
    residuals = {"mean": 0.0, "std": 0.3, "min": -0.5, "max": 0.5, "quantiles": {}, "n": N_TEST}
    metrics["report"] = {t: {"residuals": residuals} for t in targets}
    ceiling = {"structures": 17, "std": figure(0.31), "ceiling": {"rmse": figure(0.31)}}
    metrics["noise_ceiling"] = {targets[0]: ceiling | {"note": None}}
    manifest = _manifest("regression", targets)
    manifest["units"] = {targets[0]: "log mol/L"}
    return _stored(manifest | changed, metrics, columns)


def class_model(*targets, words=("no", "yes"), **changed):
    """Classes by turns; the probability of the right one falls from 0.95 to 0.35."""
    targets = targets or ("active",)
    n = len(SMILES)
    columns = _shared(n)
    right = np.linspace(0.95, 0.35, n)
    for target in targets:
        y = np.arange(n) % len(words)
        probabilities = np.repeat(((1 - right) / (len(words) - 1))[:, None], len(words), axis=1)
        probabilities[np.arange(n), y] = right
        columns |= {
            target: y.astype(float),
            f"{target}_predicted": probabilities.argmax(axis=1).astype(float),
            f"{target}_confidence": probabilities.max(axis=1),
        }
        for c, word in enumerate(words):
            columns[f"{target}_probability_{word}"] = probabilities[:, c]
    metric = "roc_auc" if len(words) == 2 else "balanced_accuracy"
    metrics = _metrics(targets, {metric: figure(0.84)}, {metric: figure(1 / len(words), 0.0)})
    counts = [[3] * len(words) for _ in words]
    line = {"precision": 0.5, "recall": 0.5, "f1-score": 0.5, "support": N_TEST}
    matrix = {"labels": list(words), "counts": counts}
    report = {"confusion_matrix": matrix, "classification_report": dict.fromkeys(words, line)}
    metrics["report"] = dict.fromkeys(targets, report)
    metrics["uncertainty"] = {t: {"method": "isotonic", "ece": 0.03} for t in targets}
    manifest = _manifest("binary" if len(words) == 2 else "multiclass", targets)
    manifest["classes"] = [list(words)] * len(targets)
    return _stored(manifest | changed, metrics, columns)


def older(model):
    """The same model as a release before issue 5 has stored it."""
    manifest = {k: v for k, v in model.manifest.items() if k not in ("libraries", "units", "code")}
    kept = ("test", "baseline", "mean", "baseline_mean", "n")
    metrics = {name: model.metrics[name] for name in kept}
    table = pq.read_table(io.BytesIO(model.predictions))
    new = ("_lower", "_upper", "_std", "_confidence")
    names = [
        name
        for name in table.column_names
        if not name.endswith(new) and name not in ("similarity", "in_domain")
    ]
    parts = ["validation" if p == "out_of_fold" else p for p in table["part"].to_pylist()]
    table = table.select(names).set_column(names.index("part"), "part", pa.array(parts))
    return StoredModel(manifest=manifest, metrics=metrics, predictions=_parquet(table))


def of_a_table(model):
    """The same as a model of a table without molecules."""
    columns = [{"name": "tenure", "role": "feature", "type": "number"}]
    table = pq.read_table(io.BytesIO(model.predictions)).drop_columns(["smiles", "similarity"])
    manifest = dict(model.manifest) | {
        "columns": columns,
        "features": [{"name": "columns", "params": {}}],
        "facts": {"importances": {t: [["tenure", 0.6]] for t in model.targets}},
    }
    metrics = {k: v for k, v in model.metrics.items() if k != "similarity"}
    return StoredModel(manifest=manifest, metrics=metrics, predictions=_parquet(table))


def _shared(n):
    return {
        "row": np.arange(1, n + 1),
        "part": ["out_of_fold"] * (n - N_TEST) + ["test"] * N_TEST,
        "smiles": SMILES,
        "similarity": np.linspace(1.0, 0.2, n),
        "in_domain": [i % 10 != 0 for i in range(n)],
    }


def _manifest(task, targets):
    return {
        "name": "sol",
        "task": task,
        "targets": list(targets),
        "classes": [],
        "algorithm": "lightgbm",
        "algorithm_version": 1,
        "hyperparameters": {"n_estimators": 600, "learning_rate": 0.03},
        "units": {},
        "features": [{"name": "morgan_counts", "params": {}}, {"name": "erg", "params": {}}],
        "columns": [],
        "feature_set_key": "f" * 64,
        "dataset": {"id": "0", "ref": "sol:1", "sha256": "d" * 64},
        "split": {
            "name": "random",
            "params": {},
            "seed": 0,
            "hash": "5" * 64,
            "sizes": {"train": 50, "validation": 10, "test": 40},
        },
        "seed": 0,
        "facts": {"importances": {t: [["morgan_count_807", 0.3], ["erg_1", 0.1]] for t in targets}},
        "libraries": {"rdkit": "2026.9.1"},
    }


def _metrics(targets, test, baseline):
    def mean(figures):
        return {name: {"value": entry["value"]} for name, entry in figures.items()}

    finding = {
        "code": "same_structure",
        "severity": "warning",
        "count": 2,
        "detail": "2 structures are on both sides of the split",
        "remedy": "Merge duplicates at ingest.",
        "rows": [4, 17],
    }
    domain = {"similarity_threshold": 0.3, "leverage_threshold": 2.0, "inside": 0.9}
    domain["error_inside"] = {t: {"value": 0.4, "n": 36} for t in targets}
    domain["error_outside"] = {t: {"value": 0.8, "n": 4} for t in targets}
    return {
        "test": dict.fromkeys(targets, test),
        "baseline": dict.fromkeys(targets, baseline),
        "out_of_fold": dict.fromkeys(targets, test),
        "mean": mean(test),
        "baseline_mean": mean(baseline),
        "n": {"train": 50, "validation": 10, "test": 40},
        "domain": domain,
        "leaks": {"findings": [finding], "checked": ["same_structure", "target_column"]},
        "similarity": {"median": 0.5, "p05": 0.2, "p95": 0.9, "share_above_0_9": 0.2, "easy": True},
    }


def _stored(manifest, metrics, columns):
    return StoredModel(manifest=manifest, metrics=metrics, predictions=_parquet(pa.table(columns)))


def _parquet(table):
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
