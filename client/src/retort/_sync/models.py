# made of _async/models.py by client/generate_sync.py: change that one
"""Model versions, studies, and what those who run it look at."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from retort._sync.objects import Job, Model
from retort._sync.transport import Transport
from retort.answers import filled
from retort.records import Json, id_of, ref_of

if TYPE_CHECKING:
    from retort._sync.client import Retort


class Models:
    def __init__(self, client: "Retort") -> None:
        self._client = client

    @property
    def _transport(self) -> Transport:
        return self._client.transport

    def get(self, ref: Any) -> Model:
        """`ref`: id, name (its @champion, else the newest), name:3 or name@alias."""
        found = self._transport.json("GET", f"/models/{ref_of(ref)}")
        return Model(found, self._client)

    def promote(
        self,
        model: Any,
        version: int | None = None,
        alias: str = "champion",
        note: str = "",
        *,
        evaluation: Any = None,
        etag: str | None = None,
    ) -> Json:
        """Point an alias to a version, through the alias's gate. Raises GateFailed, whose `fields`
        are the table of checks.

        `model`: a Model, "name:3", or a name with `version`; `evaluation`: the one that speaks for
        it; `etag`: only while the alias is as it was read.
        """
        name, _, number = ref_of(model).partition(":")
        if version is None and not number.isdigit():
            raise ValueError(f"say which version: 'name:3', not {ref_of(model)!r}")
        path = f"/registry/{name}/aliases/{alias}"
        body = {"version": int(number) if version is None else version, "note": note}
        if evaluation is not None:
            body["evaluation_id"] = id_of(evaluation)
        headers = {} if etag is None else {"If-Match": etag}
        found: Json = self._transport.json("PUT", path, json=body, headers=headers)
        return found

    def change(
        self,
        ref: Any,
        *,
        labels: Mapping[str, str | None] | None = None,
        description: str | None = None,
        **semver: str | None,
    ) -> Model:
        """Labels (merged in; None removes one), a description, `semver="1.2.0"` (None takes it
        away).
        """
        if unknown := semver.keys() - {"semver"}:
            raise TypeError(f"a version has no {', '.join(sorted(unknown))} to be changed")
        body = filled(labels=None if labels is None else dict(labels), description=description)
        found = self._transport.json("PATCH", f"/models/{ref_of(ref)}", json=body | semver)
        return Model(found, self._client)

    def archive(self, ref: Any) -> Model:
        """Hide a version from lists and names. Raises ModelInUse when something points to it."""
        found = self._transport.json("DELETE", f"/models/{ref_of(ref)}")
        return Model(found, self._client)

    def restore(self, ref: Any) -> Model:
        """Bring an archived version back."""
        found = self._transport.json("POST", f"/models/{ref_of(ref)}/restore")
        return Model(found, self._client)

    def lineage(self, ref: Any) -> Json:
        """File, data set, split, features, code, parents, job, aliases, predict jobs."""
        found: Json = self._transport.json("GET", f"/models/{ref_of(ref)}/lineage")
        return found

    def manifest(self, ref: Any) -> Json:
        """Everything that says what the model is: features, calibration, files with hashes."""
        found: Json = self._transport.json("GET", f"/models/{ref_of(ref)}/manifest")
        return found

    def download(self, ref: Any, path: str, target: str | Path | BinaryIO) -> None:
        """One of the model's files: metrics.json, predictions.parquet, parity.svg, ..."""
        route = f"/models/{ref_of(ref)}/files/{path}"
        self._client.files._download(route, target, None)  # noqa: SLF001 - same package

    def export(self, ref: Any, format: str = "bundle") -> "Export":  # noqa: A002
        """Write a version as one file; `format`: bundle (to import elsewhere, or to predict
        without a server), pyfunc (MLflow), onnx. `.download(path)` waits for it.
        """
        path = f"/models/{ref_of(ref)}/export"
        found = self._transport.json("POST", path, json={"format": format})
        return Export(Job(found, self._client), self._client)

    def import_bundle(
        self,
        bundle: Any,
        name: str | None = None,
        *,
        sha256: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Model:
        """Make an exported bundle (its path, or a file that was uploaded) the next version of
        `name`, by default that of where it comes from. `sha256`: of the whole file, checked first.
        Raises JobFailed for a file that is no unaltered bundle.
        """
        file = self._client.files.upload(bundle)
        body = filled(file_id=file.id, name=name, sha256=sha256)
        job = Job(self._transport.json("POST", "/models", json=body), self._client)
        job.wait(timeout)
        return self.get((job["result"] or {})["model_id"])

    def files(self, ref: Any, folder: str | Path) -> Sequence[Path]:
        """Every file of the model and its manifest, into a folder; what was written."""
        manifest = self.manifest(ref)
        written = []
        for name in sorted(manifest["files"]):
            target = _inside(folder, name)
            self.download(ref, name, target)
            written.append(target)
        return [*written, _store(folder, manifest)]

    def report(self, ref: Any, target: str | Path | None = None) -> str:
        """The report as a page in one file (HTML); written to `target` when given."""
        return self._text(ref, "report", target)

    def card(self, ref: Any, target: str | Path | None = None) -> str:
        """The model card as Markdown: what is known, and what a person must add."""
        return self._text(ref, "card", target)

    def qmrf(self, ref: Any, target: str | Path | None = None) -> str:
        """A QMRF-style summary of the five OECD principles as Markdown."""
        return self._text(ref, "qmrf", target)

    def _text(self, ref: Any, name: str, target: str | Path | None) -> str:
        text = (self._transport.request("GET", f"/models/{ref_of(ref)}/{name}")).text
        if target is not None:
            _write(target, text)
        return text

    def evaluations(self, ref: Any, limit: int | None = None) -> Sequence[Json]:
        """What `evaluate` jobs measured of it, newest first."""
        path = f"/models/{ref_of(ref)}/evaluations"
        return [item for item in self._transport.pages(path, {"limit": limit})]

    def evaluation(self, evaluation: Any) -> Json:
        """One of them by its id."""
        found: Json = self._transport.json("GET", f"/evaluations/{id_of(evaluation)}")
        return found

    def list(
        self,
        name: str | None = None,
        *,
        label: Mapping[str, str] | None = None,
        archived: bool = False,
        limit: int | None = None,
    ) -> Iterator[Model]:
        """Newest first; with all of these labels; archived ones only where asked for."""
        params = {
            "name": name,
            "label": [f"{key}:{value}" for key, value in (label or {}).items()] or None,
            "state": "archived" if archived else None,
            "limit": limit,
        }
        for item in self._transport.pages("/models", params):
            yield Model(item, self._client)


class Export:
    """A model on its way into a file; `job` makes it."""

    def __init__(self, job: Job, client: "Retort") -> None:
        self.job = job
        self._client = client

    def result(self, timeout: float | None = None) -> Json:  # noqa: ASYNC109
        """Wait: {"file", "file_id", "sha256", "size", ...}. Raises JobFailed where the model has no
        form in this format; it says why.
        """
        self.job.wait(timeout)
        made: Json = self.job["result"]
        return made

    def download(
        self,
        target: str | Path | BinaryIO,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Json:
        """Wait, then fetch the file; size and hash are checked."""
        made = self.result(timeout)
        self._client.files.download(made["file_id"], target)
        return made


class Studies:
    """What optimize jobs searched."""

    def __init__(self, client: "Retort") -> None:
        self._client = client

    def get(self, study: Any) -> Json:
        """By its own id or its job's."""
        found: Json = self._client.transport.json("GET", f"/studies/{id_of(study)}")
        return found

    def trials(self, study: Any) -> Sequence[Json]:
        found: Json = self._client.transport.json("GET", f"/studies/{id_of(study)}/trials")
        items: Sequence[Json] = found["items"]
        return items

    def list(self) -> Sequence[Json]:
        """The newest 200."""
        found: Json = self._client.transport.json("GET", "/studies")
        items: Sequence[Json] = found["items"]
        return items


class Admin:
    """For those who run it."""

    def __init__(self, client: "Retort") -> None:
        self._client = client

    def queues(self) -> Sequence[Json]:
        """Per queue: queued, running, age of the oldest (s), workers."""
        found: Json = self._client.transport.json("GET", "/admin/queues")
        items: Sequence[Json] = found["items"]
        return items

    def diagnosis(self) -> Sequence[Json]:
        """What is wrong with the installation, as the gateway's machine sees it: each finding has
        `name`, `state` (ok, warn, fail), `said`, `why` and `remedy`.
        """
        found: Json = self._client.transport.json("GET", "/admin/diagnosis")
        items: Sequence[Json] = found["items"]
        return items

    def workers(self) -> Sequence[Json]:
        """Workers that told of themselves in the last 30 seconds."""
        found: Json = self._client.transport.json("GET", "/admin/workers")
        items: Sequence[Json] = found["items"]
        return items


def _write(target: str | Path, text: str) -> None:
    Path(target).write_text(text, encoding="utf-8")


def _inside(folder: str | Path, name: str) -> Path:
    """The path of a file below `folder`. Raises ValueError for a name that leads out of it."""
    base = Path(folder).resolve()
    target = (base / name).resolve()
    if not target.is_relative_to(base):
        raise ValueError(f"the server names a file outside of the folder: {name!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _store(folder: str | Path, manifest: Mapping[str, Any]) -> Path:
    import json

    target = _inside(folder, "manifest.json")
    target.write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return target
