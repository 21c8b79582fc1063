# made of _async/objects.py by client/generate_sync.py: change that one
"""Jobs, data sets and models: what the server said, with what one can do about it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from retort._sync.following import Follow
from retort.predictions import Predictions
from retort.records import DatasetRecord, FileRecord, JobRecord, Json, ModelRecord, Record

if TYPE_CHECKING:
    from retort._sync.client import Retort

#: what a finished job's result is called by
Result = Any


class Job(JobRecord):
    """Submitted already; `result()` waits for what it makes."""

    _client: "Retort"

    def refresh(self) -> "Job":
        """Look again; the same object, as it is now."""
        self._now(self._client.jobs.get(self.id))
        return self

    def wait(self, timeout: float | None = None) -> "Job":  # noqa: ASYNC109
        """Until it has ended. Raises JobFailed unless it succeeded, TimedOut after `timeout`
        seconds.
        """
        self._now(self._client.jobs.wait(self, timeout))
        return self

    def result(self, timeout: float | None = None) -> Result:  # noqa: ASYNC109
        """Wait, then what it made: a Model (train, optimize, import_model), a Dataset (ingest),
        else the result's JSON. Raises JobFailed, TimedOut.
        """
        self.wait(timeout)
        made = self["result"] or {}
        if self.kind in ("train", "optimize", "import_model") and made.get("model_id"):
            return self._client.models.get(made["model_id"])
        if self.kind == "ingest":
            return self._client.datasets.get(self.params["dataset_id"])
        return made

    def follow(self) -> Follow:
        """Its events, until it has ended."""
        return self._client.jobs.follow(self)

    def cancel(self) -> "Job":
        self._now(self._client.jobs.cancel(self))
        return self

    def retry(self) -> "Job":
        """Run it once more; of a divided job only what failed."""
        self._now(self._client.jobs.retry(self))
        return self

    def rerun(self, params: Mapping[str, Any] | None = None, *, dry_run: bool = False) -> "Job":
        """A new job with some params changed; `["difference"]` tells which."""
        return self._client.jobs.rerun(self, params, dry_run=dry_run)

    def label(self, labels: Mapping[str, str | None]) -> "Job":
        self._now(self._client.jobs.label(self, labels))
        return self

    def logs(self, **filters: Any) -> Iterator[Record]:
        return self._client.jobs.logs(self, **filters)

    def rows(self, start: int | None = None, limit: int | None = None) -> Iterator[Record]:
        """Of a predict job: rows that are there, also while it runs."""
        return self._client.jobs.rows(self, start=start, limit=limit)

    def artifacts(self) -> Sequence[FileRecord]:
        return self._client.jobs.artifacts(self)

    def download(self, name: str, target: str | Path | BinaryIO) -> None:
        """One of its artifacts by name: predictions.csv, rejected.csv, ..."""
        self._client.jobs.download(self, name, target)


class Dataset(DatasetRecord):
    """One version of a data set."""

    _client: "Retort"

    def refresh(self) -> "Dataset":
        self._now(self._client.datasets.get(self.id))
        return self

    def report(self) -> Json:
        return self._client.datasets.report(self)

    def report_html(self, target: str | Path | None = None) -> str:
        return self._client.datasets.report_html(self, target)

    def rejected(self, target: str | Path | BinaryIO | None = None) -> str:
        return self._client.datasets.rejected(self, target)

    def rows(self, limit: int = 20, offset: int = 0) -> Sequence[Json]:
        return self._client.datasets.rows(self, limit, offset)

    def diff(self, against: Any = None) -> Json:
        return self._client.datasets.diff(self, against)

    def lineage(self) -> Json:
        return self._client.datasets.lineage(self)

    def label(self, labels: Mapping[str, str | None]) -> "Dataset":
        self._now(self._client.datasets.label(self, labels))
        return self

    def train(self, **params: Any) -> Job:
        return self._client.train(self, **params)


class Model(ModelRecord):
    """One version of a model."""

    _client: "Retort"

    def predict(self, inputs: Any) -> Predictions:
        return self._client.predict(self, inputs)

    def promote(self, alias: str = "champion", note: str = "") -> Json:
        return self._client.models.promote(self, alias=alias, note=note)

    def archive(self) -> "Model":
        self._now(self._client.models.archive(self.id))
        return self

    def restore(self) -> "Model":
        self._now(self._client.models.restore(self.id))
        return self

    def label(self, labels: Mapping[str, str | None]) -> "Model":
        self._now(self._client.models.change(self.id, labels=labels))
        return self

    def lineage(self) -> Json:
        return self._client.models.lineage(self.id)

    def evaluate(self, dataset: Any = None, **params: Any) -> Job:
        return self._client.evaluate(self, dataset, **params)

    def evaluations(self) -> Sequence[Json]:
        return self._client.models.evaluations(self)

    def manifest(self) -> Json:
        return self._client.models.manifest(self)

    def download(self, path: str, target: str | Path | BinaryIO) -> None:
        self._client.models.download(self, path, target)
