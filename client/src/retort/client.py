"""The client: files, data sets, jobs, models, predictions."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import httpx

from retort.config import find_config
from retort.errors import JobFailed
from retort.stream import TERMINAL, Event, follow
from retort.transport import Transport

Json = dict[str, Any]


class Files:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(self, path: str | Path) -> Json:
        """Send a file; equal content is stored once on the server."""
        path = Path(path)
        with path.open("rb") as stream:
            found: Json = self._transport.json(
                "POST",
                "/files",
                files={"file": (path.name, stream)},
                rewind=lambda: stream.seek(0),
            )
        return found

    def download(self, file_id: str, target: str | Path | BinaryIO) -> None:
        """Write the file's bytes to a path or an open stream."""
        with self._transport.http.stream("GET", f"/files/{file_id}/content") as response:
            response.raise_for_status()
            if isinstance(target, str | Path):
                with Path(target).open("wb") as stream:
                    stream.writelines(response.iter_bytes())
            else:
                target.writelines(response.iter_bytes())


class Datasets:
    def __init__(self, client: "Retort") -> None:
        self._client = client
        self._transport = client.transport

    def create(
        self,
        file: str | Path,
        name: str | None = None,
        *,
        roles: Mapping[str, str] | None = None,
        duplicates: str = "merge",
        wait: bool = True,
    ) -> Json:
        """Upload and ingest. Raises JobFailed when the file cannot be used (and `wait`)."""
        path = Path(file)
        uploaded = self._client.files.upload(path)
        body = {
            "file_id": uploaded["id"],
            "name": name or slug(path.name),
            "roles": dict(roles or {}),
            "duplicates": duplicates,
        }
        dataset: Json = self._transport.json("POST", "/datasets", json=body)
        if not wait:
            return dataset
        self._client.jobs.wait(dataset["job_id"])
        return self.get(dataset["id"])

    def get(self, ref: str) -> Json:
        found: Json = self._transport.json("GET", f"/datasets/{ref}")
        return found

    def report(self, ref: str) -> Json:
        found: Json = self._transport.json("GET", f"/datasets/{ref}/report")
        return found

    def list(self) -> Iterator[Json]:
        return pages(self._transport, "/datasets", {})


class Jobs:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(self, kind: str, params: Mapping[str, Any], **fields: Any) -> Json:
        """Post a job; `fields`: needs, labels, deadline_seconds, ..., idempotency_key."""
        key = fields.pop("idempotency_key", None)
        headers = {"Idempotency-Key": key} if key else {}
        body = {"kind": kind, "params": dict(params), **fields}
        job: Json = self._transport.json("POST", "/jobs", json=body, headers=headers)
        return job

    def get(self, job_id: str) -> Json:
        job: Json = self._transport.json("GET", f"/jobs/{job_id}")
        return job

    def list(self, **filters: Any) -> Iterator[Json]:
        """Newest first, page by page; filters: state, kind, label, parent_id."""
        return pages(self._transport, "/jobs", filters)

    def wait(self, job_id: str) -> Json:
        """The ended job. Raises JobFailed unless it succeeded."""
        while True:
            job: Json = self._transport.json("GET", f"/jobs/{job_id}", params={"wait": 30})
            if job["state"] in TERMINAL:
                if job["state"] != "succeeded":
                    raise JobFailed(job)
                return job

    def follow(self, job_id: str) -> Iterator[Event]:
        """Every event of the job until it has ended."""
        return follow(self._transport, job_id)

    def cancel(self, job_id: str) -> Json:
        return self._act(job_id, "cancel")

    def retry(self, job_id: str) -> Json:
        """Run a failed job once more."""
        return self._act(job_id, "retry")

    def rerun(self, job_id: str, params: Mapping[str, Any] | None = None) -> Json:
        """A new job with the same params, patched (RFC 7396)."""
        return self._act(job_id, "rerun", json={"params": dict(params or {})})

    def artifacts(self, job_id: str) -> Sequence[Json]:
        found: Sequence[Json] = self._transport.json("GET", f"/jobs/{job_id}/artifacts")["items"]
        return found

    def _act(self, job_id: str, action: str, **options: Any) -> Json:
        job: Json = self._transport.json("POST", f"/jobs/{job_id}/{action}", **options)
        return job


class Models:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, ref: str) -> Json:
        """`ref`: id, name, name:3 or name@alias."""
        found: Json = self._transport.json("GET", f"/models/{ref}")
        return found

    def list(self, name: str | None = None) -> Iterator[Json]:
        return pages(self._transport, "/models", {"name": name} if name else {})

    def promote(self, name: str, version: int, alias: str = "champion", note: str = "") -> Json:
        """Point an alias to a version; pointing it back is the rollback."""
        found: Json = self._transport.json(
            "PUT", f"/registry/{name}/aliases/{alias}", json={"version": version, "note": note}
        )
        return found

    def download(self, ref: str, path: str, target: str | Path) -> None:
        """One of the model's files: metrics.json, predictions.parquet, parity.svg, ..."""
        response = self._transport.request("GET", f"/models/{ref}/files/{path}")
        Path(target).write_bytes(response.content)


class Retort:
    """A connection to one Retort; see `find_config` for where address and key come from.

    For one thread. Used as a context manager it closes its connections.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        config = find_config(url, api_key)
        self.url = config.url.rstrip("/").removesuffix("/api/v1")
        self.config_source = config.source
        self.transport = Transport(config.url, config.api_key, transport=transport)
        self.files = Files(self.transport)
        self.jobs = Jobs(self.transport)
        self.datasets = Datasets(self)
        self.models = Models(self.transport)

    def featurize(self, dataset: str, **params: Any) -> Json:
        return self.jobs.submit("featurize", {"dataset": dataset, **params})

    def train(self, dataset: str, **params: Any) -> Json:
        """Submit a training; see `catalog("algorithms")` and the API's TrainParams."""
        return self.jobs.submit("train", {"dataset": dataset, **params})

    def optimize(self, dataset: str, **params: Any) -> Json:
        return self.jobs.submit("optimize", {"dataset": dataset, **params})

    def predict(self, model: str, inputs: Sequence[str | Mapping[str, str]]) -> Sequence[Json]:
        """Up to 100 molecules, answered at once, in order; each says why if it has no number."""
        body = {"model": model, "inputs": list(inputs)}
        answer: Json = self.transport.json("POST", "/predictions", json=body)
        found: Sequence[Json] = answer["predictions"]
        return found

    def predict_file(self, model: str, file: str | Path, **params: Any) -> Json:
        """Submit a batch prediction of every row of a file."""
        uploaded = self.files.upload(file)
        return self.jobs.submit("predict", {"model": model, "file_id": uploaded["id"], **params})

    def catalog(self, kind: str) -> Sequence[Json]:
        """algorithms, featurizers, splitters or metrics."""
        found: Sequence[Json] = self.transport.json("GET", f"/catalog/{kind}")["items"]
        return found

    def about(self) -> Json:
        """The server: version, who we are to it, where its dashboards are."""
        found: Json = self.transport.json("GET", "")
        return found

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def pages(transport: Transport, path: str, filters: Mapping[str, Any]) -> Iterator[Json]:
    """Every item of a list, page by page as it is asked for."""
    cursor: str | None = None
    while True:
        params = {**filters, "limit": 100} | ({"cursor": cursor} if cursor else {})
        found = transport.json("GET", path, params=params)
        yield from found["items"]
        cursor = found.get("next_cursor")
        if cursor is None:
            return


def slug(file_name: str) -> str:
    """A data set name from a file name: `My Mols.csv.gz` becomes `my-mols`."""
    stem = file_name.lower().split(".")[0]
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in stem).strip("-")
    return name[:63] or "dataset"
