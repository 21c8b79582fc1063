"""What the ML worker (S4) took and answered, field by field."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.core.requests import RequestModel

_CHURN = "telco_churn.csv"


class _WorkerRequest(RequestModel):
    #: absolute, or below an import folder (setting RETORT_IMPORT_ROOTS)
    dataset_path: str = Field(min_length=1, max_length=1_000, examples=[_CHURN])
    target_column: str = Field(min_length=1, max_length=500, examples=["Churn"])
    #: scikit-learn's class names, or ours
    algorithm: str = Field(max_length=100, examples=["RandomForestClassifier"])


class WorkerTrainRequest(_WorkerRequest):
    """`test_size` and `random_state` make the split; there is no validation part."""

    test_size: float = Field(default=0.2, gt=0, lt=1)
    random_state: int = Field(default=42, ge=0, le=2**31 - 1)
    hyperparams: dict[str, Any] | None = Field(default=None, examples=[{"n_estimators": 200}])


class WorkerOptimizeRequest(_WorkerRequest):
    n_trials: int = Field(default=100, ge=1, le=100_000)


class WorkerTrainAnswer(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    success: bool
    model_id: str = Field(examples=["model-1f0c9a2b7d3e"])
    #: accuracy, precision, recall, f1 (weighted over classes), or mse, rmse, mae, r2
    metrics: dict[str, float]
    message: str


class WorkerOptimizeAnswer(BaseModel):
    success: bool
    study_id: str = Field(examples=["study-1f0c9a2b7d3e"])
    best_params: dict[str, Any]
    best_score: float
    n_trials: int


class WorkerEvaluateAnswer(BaseModel):
    metrics: dict[str, float]
    #: rows are the true classes, in the order of the report; null for numbers
    confusion_matrix: list[list[int]] | None
    classification_report: dict[str, Any] | None
    feature_importance: dict[str, float]


class WorkerPending(BaseModel):
    """202: it goes on; ask `Location` again."""

    success: None
    status: str = Field(examples=["running"])
    job_id: str
    message: str


class WorkerAlgorithms(BaseModel):
    algorithms: list[dict[str, Any]]
