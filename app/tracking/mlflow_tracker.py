"""MLflow: one run per model version, found again by a tag."""

import os
import tempfile
from pathlib import Path
from typing import Any

from app.core.errors import Retryable
from app.tracking.base import TrackedModel

_TAG = "retort.model_id"
#: an outage must not hold the control worker
_TIMEOUT_SECONDS = "10"


class MlflowTracker:
    """At most six calls to the server a run (a call costs 25 ms)."""

    def __init__(self, uri: str) -> None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", _TIMEOUT_SECONDS)
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        self._uri = uri

    def log(self, model: TrackedModel) -> str:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
        from requests import RequestException

        client = MlflowClient(tracking_uri=self._uri)
        try:
            return self._log(client, model)
        except (MlflowException, RequestException, OSError) as error:
            raise Retryable(f"MLflow does not answer: {type(error).__name__}") from error

    def _log(self, client: Any, model: TrackedModel) -> str:
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.utils.time import get_current_time_millis

        experiment = self._experiment(client, model.name)
        found = client.search_runs(
            [experiment], f"tags.`{_TAG}` = '{model.model_id}'", max_results=1
        )
        if found and found[0].info.status == "FINISHED":
            return str(found[0].info.run_id)
        run_name = f"{model.name}:{model.number}"
        run = found[0] if found else client.create_run(experiment, run_name=run_name)
        run_id = str(run.info.run_id)
        now = get_current_time_millis()
        client.log_batch(
            run_id,
            metrics=[Metric(name, value, now, 0) for name, value in model.metrics.items()],
            params=[Param(name, str(value)[:500]) for name, value in model.params.items()],
            tags=[
                RunTag(name, value) for name, value in {**model.tags, _TAG: model.model_id}.items()
            ],
        )
        with tempfile.TemporaryDirectory(prefix="retort-mlflow-") as folder:
            for name, content in model.artifacts.items():
                (Path(folder) / name).write_bytes(content)
            client.log_artifacts(run_id, folder)
        client.set_terminated(run_id)
        return run_id

    @staticmethod
    def _experiment(client: Any, name: str) -> str:
        found = client.get_experiment_by_name(name)
        return str(found.experiment_id if found else client.create_experiment(name))
