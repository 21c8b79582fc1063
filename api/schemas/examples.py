"""An example of every request body, shown in /docs; a test validates each against its model."""

from typing import Any

from fastapi import FastAPI

_FILE = "019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00"
_JOB = "019aa3b2-91aa-7d11-9c5e-2f6a4c3b1d00"
_INGEST = {"file_id": _FILE, "name": "esol", "roles": {"measured log solubility": "target"}}
_TRAIN = {
    "dataset": "esol",
    "targets": ["measured log solubility"],
    "algorithm": {"name": "lightgbm", "params": {"n_estimators": 500}},
    "split": {"name": "scaffold", "seed": 0},
}
_TUNE = {"dataset": "esol", "algorithm": "random_forest", "n_trials": 20}
_CANDIDATE = {"algorithm": {"name": "random_forest"}, "features": [{"name": "morgan_counts"}]}
_COMPARE = {
    "dataset": "esol",
    "candidates": [{"algorithm": {"name": "lightgbm"}}, _CANDIDATE],
    "split": {"name": "scaffold"},
    "y_scrambling": 19,
    "learning_curve": [0.25, 0.5, 0.75],
}
_PREDICT = {"model": "esol@champion", "file_id": _FILE}
_FILTER = {"state": "failed", "labels": {"assay": "solubility"}}

#: by the name of the schema
EXAMPLES: dict[str, Any] = {
    "AliasRequest": {"version": 3, "note": "better on the scaffold split"},
    "BulkFilter": _FILTER,
    "BulkRequest": {"action": "retry", "filter": _FILTER, "dry_run": True},
    "Candidate": _CANDIDATE,
    "CompareJob": {"kind": "compare", "params": _COMPARE},
    "CompareParams": _COMPARE,
    "ComparedItem": {"id": "ethanol", "predicted": {"dG": -4.9}, "reference": {"dG": -5.0}},
    "ComparisonsRequest": {
        "items": [
            {"id": "ethanol", "predicted": {"dG": -4.9}, "reference": {"dG": -5.0}},
            {"id": "hexane", "predicted": {"dG": 2.9}, "reference": {"dG": 2.5}},
        ],
        "units": {"dG": "kcal/mol"},
    },
    "DatasetPatch": {"labels": {"assay": "solubility", "draft": None}},
    "EstimateRequest": {"kind": "train", "params": _TRAIN},
    "EvaluateJob": {"kind": "evaluate", "params": {"model": "esol:3", "dataset": "esol_2026"}},
    "EvaluateParams": {"model": "esol:3", "dataset": "esol_2026"},
    "FeaturizeJob": {"kind": "featurize", "params": {"dataset": "esol"}},
    "FeaturizeParams": {"dataset": "esol", "features": [{"name": "morgan_counts"}]},
    "IngestJob": {"kind": "ingest", "params": _INGEST},
    "IngestParams": _INGEST,
    "OptimizeJob": {"kind": "optimize", "params": _TUNE},
    "OptimizeParams": _TUNE,
    "PluginSpec": {"name": "morgan_counts", "params": {"radius": 3}},
    "PredictJob": {"kind": "predict", "params": _PREDICT},
    "PredictParams": _PREDICT,
    "PredictionInput": {"smiles": "CCO", "id": "ethanol"},
    "PredictionsRequest": {"model": "esol@champion", "inputs": ["CCO", {"smiles": "c1ccccc1O"}]},
    "ReadParams": {"roles": {"Struktur": "smiles"}, "decimal": "comma"},
    "RelabelRequest": {"labels": {"assay": "solubility", "draft": None}},
    "RerunRequest": {"params": {"algorithm": {"name": "random_forest"}}, "dry_run": True},
    "SplitSpec": {"name": "scaffold", "seed": 0},
    "StoredValues": {"dataset": "freesolv", "column": "expt", "unit": "kcal/mol"},
    "TrainJob": {"kind": "train", "params": _TRAIN, "labels": {"assay": "solubility"}},
    "TrainParams": _TRAIN,
    "UploadRequest": {"name": "library.csv.gz", "size": 734_003_200},
    "WorkerOptimizeRequest": {
        "dataset_path": "data/telco_churn.csv",
        "target_column": "Churn",
        "algorithm": "RandomForestClassifier",
        "n_trials": 20,
    },
    "WorkerTrainRequest": {
        "dataset_path": "data/telco_churn.csv",
        "target_column": "Churn",
        "algorithm": "RandomForestClassifier",
        "hyperparams": {"n_estimators": 200},
    },
    "WorkflowJob": {"kind": "train", "params": _TRAIN, "needs": ["tune"]},
    "WorkflowRequest": {
        "jobs": {
            "tune": {"kind": "optimize", "params": _TUNE | {"then": "none"}},
            "train": {
                "kind": "train",
                "params": {
                    "dataset": "esol",
                    "algorithm": {
                        "name": "random_forest",
                        "params": {"$from": "tune.result.best_params"},
                    },
                },
                "needs": ["tune"],
            },
        }
    },
}


def add_examples(api: FastAPI) -> None:
    """Into the OpenAPI document, once it is made."""
    plain = api.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        schemas = document["components"]["schemas"]
        for name, example in EXAMPLES.items():
            if name in schemas:
                schemas[name].setdefault("example", example)
        return document

    api.openapi = openapi  # type: ignore[method-assign]
