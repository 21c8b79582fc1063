"""Predict a file with a bundle: no server, no database. The columns are those of a predict job."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from app.core.settings import Settings
from app.core.work import SilentContext
from app.datasets.parts import Layout, ReadingOptions, read_part, shown_structure, write_parts
from app.exporting.bundle_file import OpenBundle
from app.exporting.signing import ANYBODY, Trust
from app.models.bundle import ModelBundle
from app.prediction.answers import answer_columns
from app.prediction.artifacts import Artifacts
from app.prediction.inputs import check_columns, predict_part
from app.resources import Resources
from app.storage import keys

#: rows per step: bounds memory
_STEP = 500


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
    artifacts = Artifacts(storage, context, _answers(model, layout, []).schema)
    with artifacts:
        for spec in specs:
            rows = read_part(storage, spec)
            for start in range(0, len(rows), _STEP):
                artifacts.add(_answers(model, layout, rows[start : start + _STEP]))
    key = keys.predictions(context.job_id, context.attempt, "predictions.csv")
    target.write_bytes(storage.read(key))
    return artifacts.rows, artifacts.refused


def _answers(model: ModelBundle, layout: Layout, rows: list[dict[str, object]]) -> pa.Table:
    """What a predict job says of these rows of a part."""
    ids = layout.names("id")
    given: dict[str, Any] = {
        "row": pa.array([row["__row__"] for row in rows], pa.int64()),
        "id": pa.array([row[ids[0]] if ids else None for row in rows], pa.string()),
        "input": pa.array([shown_structure(row, layout) for row in rows], pa.string()),
    }
    answers = answer_columns(model, predict_part(model, layout, rows, None))
    table = pa.table({**given, **answers})
    place = table.schema.get_field_index("status")
    return table.set_column(place, "status", table.column("status").cast(pa.string()))
