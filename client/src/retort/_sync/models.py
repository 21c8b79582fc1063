# made of _async/models.py by client/generate_sync.py: change that one
"""Model versions, the registry of names, studies, and the catalogue."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from retort._sync.objects import Model
from retort._sync.transport import Transport
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
        self, model: Any, version: int | None = None, alias: str = "champion", note: str = ""
    ) -> Json:
        """Point an alias to a version; pointing it back is the rollback.

        `model`: a Model, "name:3", or a name with `version`.
        """
        name, _, number = ref_of(model).partition(":")
        if version is None and not number.isdigit():
            raise ValueError(f"say which version: 'name:3', not {ref_of(model)!r}")
        path = f"/registry/{name}/aliases/{alias}"
        body = {"version": int(number) if version is None else version, "note": note}
        found: Json = self._transport.json("PUT", path, json=body)
        return found

    def manifest(self, ref: Any) -> Json:
        """Everything that says what the model is: features, calibration, files with hashes."""
        found: Json = self._transport.json("GET", f"/models/{ref_of(ref)}/manifest")
        return found

    def download(self, ref: Any, path: str, target: str | Path | BinaryIO) -> None:
        """One of the model's files: metrics.json, predictions.parquet, parity.svg, ..."""
        route = f"/models/{ref_of(ref)}/files/{path}"
        self._client.files._download(route, target, None)  # noqa: SLF001 - same package

    def export(self, ref: Any, folder: str | Path) -> Sequence[Path]:
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

    def list(self, name: str | None = None, *, limit: int | None = None) -> Iterator[Model]:
        """Newest first."""
        for item in self._transport.pages("/models", {"name": name, "limit": limit}):
            yield Model(item, self._client)


class RegistryName:
    """One name of models: its versions and aliases."""

    def __init__(self, client: "Retort", name: str) -> None:
        self._client = client
        self.name = name

    def get(self) -> Json:
        """versions, newest, aliases."""
        found: Json = self._client.transport.json("GET", f"/registry/{self.name}")
        return found

    def promote(self, model: Any, alias: str = "champion", note: str = "") -> Json:
        """`model`: a version number, "name:3" or a Model."""
        version = model if isinstance(model, int) else None
        ref = self.name if version is not None else model
        return self._client.models.promote(ref, version, alias, note)

    def remove(self, alias: str) -> None:
        """Take an alias away."""
        self._client.transport.request("DELETE", f"/registry/{self.name}/aliases/{alias}")


class Registry:
    """Names of models: `client.registry["sol"]`."""

    def __init__(self, client: "Retort") -> None:
        self._client = client

    def __getitem__(self, name: str) -> RegistryName:
        return RegistryName(self._client, name)

    def names(self) -> Sequence[Json]:
        """Every name with its newest version and aliases."""
        found: Json = self._client.transport.json("GET", "/registry")
        items: Sequence[Json] = found["items"]
        return items


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
