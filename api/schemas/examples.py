"""An example of every request body, shown in /docs; a test validates each against its model."""

from typing import Any

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
_STRUCTURE = {"structure": "CCO", "models": ["esol@champion", "esol:2"]}
_ROUTES = [
    {"model": "esol:1", "weight": 90},
    {"model": "esol:2", "weight": 10},
    {"model": "esol@challenger", "mode": "shadow", "sample": 0.2},
]
_FALLBACK = {"model": "esol:1", "when": ["timeout", "error"]}
_GUARDS = {"error_rate": 0.02, "p95_ms": 150, "p95_ratio": 1.5}
_CANARY = {
    "model": "esol:3",
    "steps": [5, 25, 50, 100],
    "interval_seconds": 600,
    "min_requests": 200,
    "guards": _GUARDS,
}
_HISTORY = {"store": "sample", "share": 0.1, "keep_days": 90}
_ENDPOINT = {
    "routes": _ROUTES,
    "sticky": "key",
    "fallback": _FALLBACK,
    "history": _HISTORY,
    "deadline_ms": 500,
}
_OUTCOME = {"structure": "CCO", "target": "measured log solubility", "measured": 1.1}
_IMPORT = {"file_id": _FILE, "name": "esol-from-lab-2"}
_FILTER = {"state": "failed", "labels": {"assay": "solubility"}}

_TEMPLATE = {"kind": "train", "params": _TRAIN, "labels": {"team": "adme"}}
_RETRAIN = {"model": "esol", "dataset": "esol", "evaluate_on": "holdout:1", "then": "hold"}
_NIGHTLY = {"cron": "0 2 * * SUN", "timezone": "Europe/Berlin", "retrain": _RETRAIN}

#: of commands as OSDR's clients send them
_SENDER = {"user_id": "ada", "correlation_id": "run-7"}

#: by the name of the schema
EXAMPLES: dict[str, Any] = {
    "KeyRequest": {"name": "plate reader", "role": "scientist", "expires_in_seconds": 7_776_000},
    "RotateRequest": {"overlap_seconds": 86_400},
    "WebhookCreate": {
        "url": "https://lab.example/hook",
        "types": ["ModelTrained", "PropertiesPredicted"],
        "filter": {"assay": "solubility"},
    },
    "WebhookPatch": {"types": ["ModelTrained"], "state": "active"},
    "WebhookReplay": {"since": "2026-11-28T00:00:00Z"},
    "WebhookRotate": {"overlap_seconds": 3600},
    "AliasRollback": {"note": "the units were wrong"},
    "AliasRequest": {"version": 3, "note": "better on the scaffold split"},
    "BulkFilter": _FILTER,
    "BulkRequest": {"action": "retry", "filter": _FILTER, "dry_run": True},
    "CalculateFeatureVectors": {
        "id": "fv-4711",
        "blob_id": _FILE,
        "bucket": "retort",
        **_SENDER,
    },
    "TrainModel": {
        "id": "tm-4711",
        "dataset_id": "esol",
        "algorithm": "randomforest",
        "hyperparameters": {"n_estimators": 200},
        **_SENDER,
    },
    "PredictProperties": {
        "id": "pp-4711",
        "model_id": "model-1f0c9a2b7d3e",
        "dataset_id": "esol",
        **_SENDER,
    },
    "CanaryRequest": {"action": "step", "note": "looks good"},
    "CanarySpec": _CANARY,
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
    "DecisionRequest": {"note": "better on the new assay, and as fast"},
    "EndpointCreate": {"name": "solubility", **_ENDPOINT},
    "EndpointPatch": {"canary": _CANARY, "note": "try version 3"},
    "EndpointPut": {**_ENDPOINT, "note": "ten percent for version 2"},
    "EstimateRequest": {"kind": "train", "params": _TRAIN},
    "EvaluateJob": {"kind": "evaluate", "params": {"model": "esol:3", "dataset": "esol_2026"}},
    "EvaluateParams": {"model": "esol:3", "dataset": "esol_2026"},
    "FallbackSpec": _FALLBACK,
    "FeaturizeJob": {"kind": "featurize", "params": {"dataset": "esol"}},
    "FeaturizeParams": {"dataset": "esol", "features": [{"name": "morgan_counts"}]},
    "GuardSpec": _GUARDS,
    "HistorySpec": _HISTORY,
    "ExportJob": {"kind": "export", "params": {"model": "esol:3", "format": "onnx"}},
    "ExportParams": {"model": "esol:3", "format": "onnx"},
    "ExportRequest": {"format": "pyfunc"},
    "ImportModelJob": {"kind": "import_model", "params": _IMPORT},
    "ImportParams": _IMPORT,
    "IngestJob": {"kind": "ingest", "params": _INGEST},
    "IngestParams": _INGEST,
    "ModelPatch": {"labels": {"assay": "solubility", "draft": None}, "semver": "1.2.0"},
    "NamePatch": {"labels": {"unit": "log mol/L"}, "description": "Solubility in water"},
    "OptimizeJob": {"kind": "optimize", "params": _TUNE},
    "OptimizeParams": _TUNE,
    "Outcome": _OUTCOME,
    "OutcomesRequest": {"outcomes": [_OUTCOME]},
    "PolicyRequest": {"evaluation_dataset": "esol_2026:1", "metric": "rmse", "four_eyes": True},
    "JobTemplate": _TEMPLATE,
    "RetrainSpec": _RETRAIN,
    "PluginSpec": {"name": "morgan_counts", "params": {"radius": 3}},
    "PredictJob": {"kind": "predict", "params": _PREDICT},
    "PredictParams": _PREDICT,
    "PredictStructureJob": {"kind": "predict_structure", "params": _STRUCTURE},
    "PredictStructureParams": _STRUCTURE,
    "PredictionInput": {"smiles": "CCO", "id": "ethanol"},
    "PredictionsRequest": {"model": "esol@champion", "inputs": ["CCO", {"smiles": "c1ccccc1O"}]},
    "ReadParams": {"roles": {"Struktur": "smiles"}, "decimal": "comma"},
    "QuotaRequest": {"key": "plate-reader", "queued_jobs": 500, "requests_per_second": 20},
    "RelabelRequest": {"labels": {"assay": "solubility", "draft": None}},
    "RerunRequest": {"params": {"algorithm": {"name": "random_forest"}}, "dry_run": True},
    "RollbackRequest": {"note": "version 2 fails on salts"},
    "RouteSpec": _ROUTES[0],
    "ScheduleCreate": {"name": "nightly", **_NIGHTLY},
    "SchedulePatch": {"cron": "30 2 * * *", "retrain": {**_RETRAIN, "then": "promote"}},
    "SchedulePreview": {"cron": "0 2 * * SUN", "timezone": "Europe/Berlin", "count": 3},
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


def with_examples(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with an example at each schema that has one."""
    schemas = document["components"]["schemas"]
    for name, example in EXAMPLES.items():
        if name in schemas:
            schemas[name].setdefault("example", example)
    return document
