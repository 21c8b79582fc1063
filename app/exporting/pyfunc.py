"""An MLflow pyfunc model: the model's files, this project's code that reads them, no pickle."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd

from app.algorithms.base import algorithms
from app.exporting.code_files import code_of, packages_of
from app.exporting.loaded_model import SMILES
from app.exporting.probe import ProbeRow
from app.featurizers.base import featurizers
from app.models.bundle import BundleManifest, ModelBundle
from app.prediction.answers import answer_columns

_LOADER = "app.exporting.loaded_model"
#: equal models are equal folders
_CREATED = "2000-01-01 00:00:00.000000"
_EXAMPLES = 3


def write_pyfunc(
    bundle: ModelBundle, folder: Path, rows: list[ProbeRow], target: Path, model_id: UUID
) -> dict[str, Any]:
    """Write the MLflow folder `target` for the model in `folder`; what is said of it."""
    import mlflow.pyfunc
    from mlflow.models import Model, ModelSignature

    example = frame_of(bundle.manifest, rows[:_EXAMPLES], structures=bundle.needs_structures)
    requirements = packages_of(_LOADER, _plugins(bundle.manifest))
    code = target.parent / "code"
    for name, file in code_of(_LOADER).items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, code / name)
    mlflow.pyfunc.save_model(
        path=str(target),
        loader_module=_LOADER,
        data_path=str(folder),
        code_paths=[str(code / "app")],
        signature=ModelSignature(inputs=_inputs(bundle), outputs=_outputs(bundle)),
        input_example=example,
        pip_requirements=requirements,
        mlflow_model=Model(
            model_uuid=model_id.hex,
            utc_time_created=_CREATED,
            metadata={"retort.model": bundle.manifest.name},
        ),
    )
    return {"requirements": requirements}


def _inputs(bundle: ModelBundle) -> Any:
    """Numbers may be missing. What is no number may be written as one (a class 0 or 1)."""
    from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

    specs = [ColSpec(DataType.string, SMILES)] * bundle.needs_structures
    for column in bundle.manifest.columns:
        kind = DataType.double if column["type"] == "number" else AnyType()
        specs.append(ColSpec(kind, column["name"], required=False))
    return Schema(specs)


def _outputs(bundle: ModelBundle) -> Any:
    import pyarrow as pa
    from mlflow.types.schema import ColSpec, DataType, Schema

    words = {pa.float64(): DataType.double, pa.bool_(): DataType.boolean, pa.int64(): DataType.long}
    empty = bundle.predict([]) if bundle.needs_structures else bundle.predict_rows([])
    columns = pa.table(answer_columns(bundle, empty)).schema
    return Schema(
        [
            ColSpec(words.get(column.type, DataType.string), column.name, required=False)
            for column in columns
        ]
    )


def frame_of(manifest: BundleManifest, rows: list[ProbeRow], *, structures: bool) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {SMILES: [row.smiles for row in rows]} if structures else {}
    for column in manifest.columns:
        columns[column["name"]] = [_cell(column, row.columns[column["name"]]) for row in rows]
    return pd.DataFrame(columns)


def _cell(column: dict[str, Any], value: float | str | None) -> float | str | None:
    """Dates as the training file wrote them."""
    format_ = column.get("format", "iso")
    if column["type"] != "date" or not isinstance(value, str) or format_ == "iso":
        return value
    return datetime.fromisoformat(value).strftime(format_)


def _plugins(manifest: BundleManifest) -> frozenset[str]:
    """Modules whose libraries it needs."""
    names = [manifest.algorithm, *manifest.facts.get("members", ())]
    known = [algorithms.get(name).__module__ for name in names]
    return frozenset([*known, *(featurizers.get(f.name).__module__ for f in manifest.features)])
