"""Jobs, data sets and models: what the server said, with what one can do about it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from retort._async.following import AsyncFollow
from retort.predictions import Predictions
from retort.records import DatasetRecord, FileRecord, JobRecord, Json, ModelRecord, Record

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort

#: what a finished job's result is called by
Result = Any


class AsyncJob(JobRecord):
    """Submitted already; `result()` waits for what it makes."""

    _client: "AsyncRetort"

    async def refresh(self) -> "AsyncJob":
        """Look again; the same object, as it is now."""
        self._now(await self._client.jobs.get(self.id))
        return self

    async def wait(self, timeout: float | None = None) -> "AsyncJob":  # noqa: ASYNC109
        """Until it has ended. Raises JobFailed unless it succeeded, TimedOut after `timeout`
        seconds.
        """
        self._now(await self._client.jobs.wait(self, timeout))
        return self

    async def result(self, timeout: float | None = None) -> Result:  # noqa: ASYNC109
        """Wait, then what it made: a Model (train, optimize, import_model), a Dataset (ingest),
        else the result's JSON. Raises JobFailed, TimedOut.
        """
        await self.wait(timeout)
        made = self["result"] or {}
        if self.kind in ("train", "optimize", "import_model") and made.get("model_id"):
            return await self._client.models.get(made["model_id"])
        if self.kind == "ingest":
            return await self._client.datasets.get(self.params["dataset_id"])
        return made

    def follow(self) -> AsyncFollow:
        """Its events, until it has ended."""
        return self._client.jobs.follow(self)

    async def cancel(self) -> "AsyncJob":
        self._now(await self._client.jobs.cancel(self))
        return self

    async def retry(self) -> "AsyncJob":
        """Run it once more; of a divided job only what failed."""
        self._now(await self._client.jobs.retry(self))
        return self

    async def rerun(
        self, params: Mapping[str, Any] | None = None, *, dry_run: bool = False
    ) -> "AsyncJob":
        """A new job with some params changed; `["difference"]` tells which."""
        return await self._client.jobs.rerun(self, params, dry_run=dry_run)

    async def label(self, labels: Mapping[str, str | None]) -> "AsyncJob":
        self._now(await self._client.jobs.label(self, labels))
        return self

    def logs(self, **filters: Any) -> AsyncIterator[Record]:
        return self._client.jobs.logs(self, **filters)

    def rows(self, start: int | None = None, limit: int | None = None) -> AsyncIterator[Record]:
        """Of a predict job: rows that are there, also while it runs."""
        return self._client.jobs.rows(self, start=start, limit=limit)

    async def artifacts(self) -> Sequence[FileRecord]:
        return await self._client.jobs.artifacts(self)

    async def download(self, name: str, target: str | Path | BinaryIO) -> None:
        """One of its artifacts by name: predictions.csv, rejected.csv, ..."""
        await self._client.jobs.download(self, name, target)


class AsyncDataset(DatasetRecord):
    """One version of a data set."""

    _client: "AsyncRetort"

    async def refresh(self) -> "AsyncDataset":
        self._now(await self._client.datasets.get(self.id))
        return self

    async def report(self) -> Json:
        return await self._client.datasets.report(self)

    async def report_html(self, target: str | Path | None = None) -> str:
        return await self._client.datasets.report_html(self, target)

    async def rejected(self, target: str | Path | BinaryIO | None = None) -> str:
        return await self._client.datasets.rejected(self, target)

    async def rows(self, limit: int = 20, offset: int = 0) -> Sequence[Json]:
        return await self._client.datasets.rows(self, limit, offset)

    async def diff(self, against: Any = None) -> Json:
        return await self._client.datasets.diff(self, against)

    async def lineage(self) -> Json:
        return await self._client.datasets.lineage(self)

    async def label(self, labels: Mapping[str, str | None]) -> "AsyncDataset":
        self._now(await self._client.datasets.label(self, labels))
        return self

    async def train(self, **params: Any) -> AsyncJob:
        return await self._client.train(self, **params)


class AsyncModel(ModelRecord):
    """One version of a model."""

    _client: "AsyncRetort"

    async def predict(self, inputs: Any) -> Predictions:
        return await self._client.predict(self, inputs)

    async def promote(self, alias: str = "champion", note: str = "") -> Json:
        return await self._client.models.promote(self, alias=alias, note=note)

    async def archive(self) -> "AsyncModel":
        self._now(await self._client.models.archive(self.id))
        return self

    async def restore(self) -> "AsyncModel":
        self._now(await self._client.models.restore(self.id))
        return self

    async def label(self, labels: Mapping[str, str | None]) -> "AsyncModel":
        self._now(await self._client.models.change(self.id, labels=labels))
        return self

    async def lineage(self) -> Json:
        return await self._client.models.lineage(self.id)

    async def evaluate(self, dataset: Any = None, **params: Any) -> AsyncJob:
        return await self._client.evaluate(self, dataset, **params)

    async def evaluations(self) -> Sequence[Json]:
        return await self._client.models.evaluations(self)

    async def manifest(self) -> Json:
        return await self._client.models.manifest(self)

    async def download(self, path: str, target: str | Path | BinaryIO) -> None:
        await self._client.models.download(self, path, target)
