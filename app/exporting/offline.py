"""Predict a file with a bundle: no server, no database. The columns are those of a predict job."""

import tempfile
from pathlib import Path

from app.core.settings import Settings
from app.core.work import SilentContext
from app.datasets.parts import ReadingOptions, read_part, write_parts
from app.exporting.bundle_file import OpenBundle
from app.exporting.signing import ANYBODY, Trust
from app.models.blocks import BLOCK_ROWS, steps
from app.models.bundle import ModelBundle
from app.prediction.artifacts import Artifacts
from app.prediction.inputs import check_columns, predict_part
from app.prediction.results import answer_table, given_columns, schema_of
from app.resources import Resources
from app.storage import keys

#: rows per step: bounds memory
_STEP = 2 * BLOCK_ROWS


def predict_file(
    bundle: Path,
    table: Path,
    target: Path,
    *,
    smiles_column: str | None = None,
    trust: Trust = ANYBODY,
) -> tuple[int, int]:
    """Rows of `table` (any format that the server reads), and how many of them were refused; the
    answers are written to `target` (CSV). Raises InvalidInput, also for a bundle of somebody whom
    `trust` does not name.
    """
    with tempfile.TemporaryDirectory(prefix="retort-offline-") as name:
        folder = Path(name) / "model"
        folder.mkdir()
        model = OpenBundle.unpack(bundle, folder, trust=trust).model
        resources = _resources(Path(name) / "blobs")
        resources.storage.write_file("input", table)
        return _predict(resources, model, table.name, target, smiles_column)


def _resources(root: Path) -> Resources:
    """A blob store of its own; nothing asks for the database."""
    return Resources(Settings(storage_root=root, s3_bucket=""))


def _predict(
    resources: Resources, model: ModelBundle, name: str, target: Path, smiles_column: str | None
) -> tuple[int, int]:
    context, storage = SilentContext(), resources.storage
    options = ReadingOptions(
        kind="molecule" if model.needs_structures else "table",
        roles={} if smiles_column is None else {smiles_column: "smiles"},
        to_learn=False,
    )
    specs, layout = write_parts(resources, context, "input", name, options=options)
    check_columns(model, layout)
    artifacts = Artifacts(storage, context, schema_of(model))
    with artifacts:
        for spec in specs:
            rows = read_part(storage, spec)
            for step in steps(rows[0]["__row__"] - 1, len(rows), _STEP) if rows else ():
                batch = rows[step]
                found = predict_part(model, layout, batch, None)
                artifacts.add(answer_table(model, given_columns(batch, layout), found))
    key = keys.predictions(context.job_id, context.attempt, "predictions.csv")
    target.write_bytes(storage.read(key))
    return artifacts.rows, artifacts.refused
