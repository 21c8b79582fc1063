"""import_model: an exported bundle becomes a version of a name, or nothing at all."""

import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.hashing import sha256_of_file
from app.core.ids import new_id
from app.core.work import Outcome, WorkContext
from app.db.files import FileRow
from app.db.models import ModelVersionRow
from app.exporting.archive import folder_files
from app.exporting.bundle_file import OpenBundle
from app.exporting.folder import MANIFEST
from app.exporting.params import ImportParams
from app.exporting.signing import Trust
from app.models.pointers import announce_after
from app.models.records import next_number
from app.resources import Resources
from app.storage import Storage, keys


def run(resources: Resources, context: WorkContext, params: ImportParams) -> Outcome:
    """Check the whole bundle first, then store its files, then the row: what fails before leaves
    no row, and blobs without a row are swept.
    """
    with resources.database.session() as session:
        file = session.get(FileRow, params.file_id)
    if file is None or file.project_id != context.project_id:
        raise NotFound(f"there is no file {params.file_id}")
    with tempfile.TemporaryDirectory(prefix="retort-import-") as name:
        folder = Path(name) / "model"
        folder.mkdir()
        context.progress(0, 3, unit="step", stage="check", message=file.name)
        path = resources.storage.local_path(file.storage_key)
        sha256 = sha256_of_file(path)
        trust = Trust.of(resources.settings)
        bundle = OpenBundle.unpack(path, folder, sha256=params.sha256, trust=trust)
        context.raise_if_cancelled()
        context.progress(1, 3, unit="step", stage="predict", message="the bundle's own rows")
        worst = bundle.probe.check(bundle.model)
        context.raise_if_cancelled()
        context.progress(2, 3, unit="step", stage="save", message="")
        model_id = new_id()
        _store(resources.storage, model_id, folder)
    row = _row(context, params, bundle, model_id) | {
        "imported_from": {
            "name": bundle.facts.name,
            "number": bundle.facts.number,
            "file_id": str(file.id),
            "sha256": sha256,
            "signed_by": bundle.signed_by,
            "dataset": bundle.model.manifest.dataset,
        }
    }

    def commit(session: Session) -> dict[str, Any]:
        number = next_number(session, context.project_id, row["name"])
        session.add(ModelVersionRow(**row, number=number))
        session.flush()
        announce_after(session, resources.cache)
        return {"model_ref": f"{row['name']}:{number}"}

    result = {
        "model_id": str(model_id),
        "imported_from": f"{bundle.facts.name}:{bundle.facts.number}",
        "sha256": sha256,
        "manifest_sha256": bundle.facts.manifest_sha256,
        "signed_by": bundle.signed_by,
        "checked_rows": len(bundle.probe.rows),
        "largest_difference": worst,
    }
    return Outcome(result=result, counts={"files": 1}, commit=commit)


def _store(storage: Storage, model_id: UUID, folder: Path) -> None:
    """The manifest last."""
    files = folder_files(folder)
    for name in sorted(files.keys() - {MANIFEST}):
        storage.write_file(keys.model(model_id, name), files[name])
    storage.write_file(keys.model(model_id, MANIFEST), files[MANIFEST])


def _row(
    context: WorkContext, params: ImportParams, bundle: OpenBundle, model_id: UUID
) -> dict[str, Any]:
    manifest, facts = bundle.model.manifest, bundle.facts
    return {
        "id": model_id,
        "project_id": context.project_id,
        "name": params.name or facts.name,
        "task": manifest.task,
        "algorithm": manifest.algorithm,
        "hyperparameters": manifest.hyperparameters,
        "training_config": facts.training_config,
        "targets": facts.targets,
        "metrics": facts.metrics,
        "dataset_id": None,
        "split_id": None,
        "job_id": context.job_id,
        "feature_set_hash": manifest.feature_set_key,
        "device": facts.device,
        "manifest_key": keys.model(model_id, MANIFEST),
        "sha256": facts.manifest_sha256,
    }
