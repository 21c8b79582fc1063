"""Our results in the ML worker's (S4) shapes."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from api.compat.following import failure_of
from app.algorithms.base import algorithms
from app.jobs.model import Job
from app.jobs.states import JobState
from app.models.short_ids import short_id

#: states in the words of the seeds
_WORDS = {
    JobState.WAITING: "pending",
    JobState.QUEUED: "pending",
}
_NUMBERS = ("mse", "rmse", "mae", "r2")


def pending(job: Job) -> dict[str, Any]:
    word = _WORDS.get(job.state, "running")
    return {
        "success": None,
        "status": word,
        "job_id": str(job.id),
        "message": f"the {job.kind} job is {word}; ask the address in Location again",
    }


def answer_of(job: Job) -> dict[str, Any]:
    """What the route that started this ended job answers. Raises what the job failed of."""
    if job.state is not JobState.SUCCEEDED or job.result is None:
        raise failure_of(job)
    return {"train": trained, "optimize": optimized, "evaluate": _evaluated_job}[job.kind](job)


def trained(job: Job) -> dict[str, Any]:
    result = job.result or {}
    metrics = result["metrics"]
    (target,) = metrics["test"]
    n = metrics["n"]
    return {
        "success": True,
        "model_id": short_id("model", UUID(result["model_id"])),
        "metrics": worker_metrics(metrics["test"][target], metrics["report"][target]),
        "message": f"{result['algorithm']} trained on {n['train']} rows, tested on {n['test']}; "
        f"it is {result['model_ref']} (GET /api/v1/models/{result['model_ref']})",
    }


def optimized(job: Job) -> dict[str, Any]:
    result = job.result or {}
    return {
        "success": True,
        "study_id": short_id("study", UUID(result["study_id"])),
        "best_params": result["best_params"],
        "best_score": result["best_value"],
        "n_trials": result["n_trials"],
    }


def _evaluated_job(job: Job) -> dict[str, Any]:
    result = job.result or {}
    return evaluated(result["metrics"], result)


def evaluated(metrics: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    """`details` as an evaluation's row keeps them. Of several targets the first."""
    target = next(iter(metrics))
    report = details["targets"][target]
    importance = details["feature_importance"]["targets"].get(target, [])
    return {
        "metrics": worker_metrics(metrics[target], report),
        "confusion_matrix": report.get("confusion_matrix", {}).get("counts"),
        "classification_report": report.get("classification_report"),
        "feature_importance": dict(importance),
    }


def worker_metrics(figures: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, float]:
    """Classes: accuracy, and precision, recall and F1 weighted by the classes' rows, as
    scikit-learn's `average='weighted'`; numbers: mse, rmse, mae, r2.
    """
    classes = report.get("classification_report")
    if classes is None:
        return {name: figures[name]["value"] for name in _NUMBERS}
    weighted = classes["weighted avg"]
    return {
        "accuracy": classes["accuracy"],
        "precision": weighted["precision"],
        "recall": weighted["recall"],
        "f1": weighted["f1-score"],
    }


def algorithm_list() -> dict[str, Any]:
    """Each by our name, with scikit-learn's names for it, what it does and what it takes."""
    return {
        "algorithms": [
            {
                "name": cls.name,
                "aliases": list(cls.aliases),
                "tasks": sorted(cls.tasks),
                "description": cls.summary,
                "available": cls.unavailable() is None,
                "hyperparams": sorted(cls.Params.model_fields),
            }
            for cls in algorithms
        ]
    }
