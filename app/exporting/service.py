"""export: a model version as one file that other systems take."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.hashing import sha256_of_file
from app.core.ids import new_id
from app.core.work import Outcome, WorkContext
from app.datasets.records import load_dataset
from app.db.files import FileRow
from app.db.models import ModelVersionRow
from app.exporting.archive import folder_files, write_zip
from app.exporting.bundle_file import FACTS, PROBE, BundleFacts, copy_folder
from app.exporting.folder import load_folder
from app.exporting.params import ExportParams
from app.exporting.probe import (
    ROWS,
    Probe,
    ProbeRow,
    probe_matrix,
    probe_rows,
    reference_rows,
)
from app.exporting.signing import SIGNATURE, Signer
from app.models.bundle import ModelBundle
from app.resources import Resources
from app.storage import keys

#: rows that an ONNX graph is compared on
_COMPARED_ROWS = 300
_ZIP = "application/zip"
_ONNX = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Source:
    """The model that is exported, copied to this machine."""

    row: ModelVersionRow
    #: its manifest and files
    folder: Path
    model: ModelBundle
    #: real inputs, evenly spaced over the data that it was trained on
    rows: list[ProbeRow]
    #: None: this installation has no key
    signer: Signer | None


@dataclass(frozen=True, kw_only=True)
class Written:
    """The file, and what is said of it."""

    path: Path
    media_type: str
    facts: dict[str, Any] = field(default_factory=dict)


def run(resources: Resources, context: WorkContext, params: ExportParams) -> Outcome:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="retort-export-") as name:
        source = _source(resources, params, Path(name) / "model")
        context.raise_if_cancelled()
        context.progress(1, 2, unit="file", stage="write", message=params.format)
        written = _WRITERS[params.format](source, Path(name))
        context.raise_if_cancelled()
        file = _stored(resources, context, source, params.format, written)
    result = {
        "model_id": str(source.row.id),
        "model_ref": f"{source.row.name}:{source.row.number}",
        "format": params.format,
        "file_id": str(file.id),
        "file": file.name,
        "size": file.size,
        "sha256": file.sha256,
        "seconds": round(time.monotonic() - started, 2),
        **written.facts,
    }

    def commit(session: Session) -> None:
        session.add(file)

    return Outcome(result=result, counts={"files": 1}, commit=commit)


def _source(resources: Resources, params: ExportParams, folder: Path) -> Source:
    with resources.database.session() as session:
        row = session.get(ModelVersionRow, params.model_id)
    if row is None:
        raise NotFound(f"there is no model {params.model_id}")
    folder.mkdir()
    copy_folder(resources.storage, row.manifest_key, folder)
    model = load_folder(folder, row.sha256)
    rows, signer = _rows(resources, row, model), Signer.of(resources.settings)
    return Source(row=row, folder=folder, model=model, rows=rows, signer=signer)


def _rows(resources: Resources, row: ModelVersionRow, model: ModelBundle) -> list[ProbeRow]:
    """Of an imported model those that came with it."""
    if row.dataset_id is not None:
        return probe_rows(model, load_dataset(resources, row.dataset_id), _COMPARED_ROWS)
    key = keys.model(row.id, PROBE)
    if resources.storage.exists(key):
        return list(Probe.model_validate_json(resources.storage.read(key)).rows)
    return reference_rows(model, _COMPARED_ROWS)


def _bundle(source: Source, folder: Path) -> Written:
    step = max(1, len(source.rows) // ROWS)
    probe = Probe.of(source.model, source.rows[::step][:ROWS]).model_dump_json().encode()
    facts = BundleFacts.of(source.row, probe).to_json()
    path = folder / "bundle.zip"
    signer = source.signer
    signature = {} if signer is None else {SIGNATURE: signer.sign(facts)}
    with path.open("wb") as stream:
        write_zip(stream, {**folder_files(source.folder), FACTS: facts, PROBE: probe, **signature})
    said = {
        "manifest_sha256": source.row.sha256,
        "signed_by": None if signer is None else signer.public_key,
    }
    return Written(path=path, media_type=_ZIP, facts=said)


def _pyfunc(source: Source, folder: Path) -> Written:
    from app.exporting.pyfunc import write_pyfunc

    target, path = folder / "pyfunc", folder / "pyfunc.zip"
    facts = write_pyfunc(source.model, source.folder, source.rows, target, source.row.id)
    with path.open("wb") as stream:
        write_zip(stream, folder_files(target))
    return Written(path=path, media_type=_ZIP, facts=facts)


def _onnx(source: Source, folder: Path) -> Written:
    from app.exporting.onnx.writing import write_onnx

    path = folder / "model.onnx"
    measured = write_onnx(source.model, probe_matrix(source.model, source.rows), path)
    return Written(path=path, media_type=_ONNX, facts=measured)


def _stored(
    resources: Resources, context: WorkContext, source: Source, format_: str, written: Written
) -> FileRow:
    ending = written.path.suffix
    name = f"{source.row.name}-{source.row.number}-{format_}{ending}"
    key = keys.export(context.job_id, context.attempt, name)
    sha256, size = sha256_of_file(written.path), written.path.stat().st_size
    resources.storage.write_file(key, written.path)
    return FileRow(
        id=new_id(),
        project_id=context.project_id,
        name=name,
        media_type=written.media_type,
        size=size,
        sha256=sha256,
        storage_key=key,
        role="bundle",
        job_id=context.job_id,
    )


_WRITERS: dict[str, Callable[[Source, Path], Written]] = {
    "bundle": _bundle,
    "pyfunc": _pyfunc,
    "onnx": _onnx,
}
