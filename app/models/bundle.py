"""What was trained, as one thing: features, fitted model, assessor, manifest. Needs no database.

Stored under models/<id>/: weights/... by the algorithm's own safe formats, assessment/... likewise,
manifest.json last. The manifest holds the SHA-256 of every file, the database row the manifest's
own: an altered byte anywhere is refused.
"""

import platform
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from app.algorithms.base import FittedModel, LearningTask, Predictions, TaskType, algorithms
from app.core.code_revision import code_revision
from app.core.errors import InvalidInput
from app.core.hashing import sha256_of_file
from app.core.requests import PluginSpec
from app.features.cells import Value, cell_arrays
from app.features.compute import FeatureSet, MoleculeCache
from app.features.fitted import FittedFeatures
from app.features.structures import featurize_structures
from app.featurizers.base import Cells, featurizers
from app.models.blocks import in_blocks
from app.storage import Storage, keys
from app.uncertainty.assessor import Assessment, Assessor

#: values by the names of the manifest's columns, or the reason why they cannot be read
Row = Mapping[str, Value] | str

#: folders of a stored model that are needed to predict
_LOADED = ("weights/", "assessment/")
_LIBRARIES = ("rdkit", "numpy", "scikit-learn", "lightgbm", "catboost", "torch")
#: not on every system
_OPTIONAL = ("xgboost-cpu",)


class BundleManifest(BaseModel):
    """Everything that says what a model is and how to make it again."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    name: str
    task: TaskType
    targets: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...] = ()
    algorithm: str
    algorithm_version: int
    hyperparameters: dict[str, Any]
    #: per target, where its column names one
    units: dict[str, str] = Field(default_factory=dict)
    features: tuple[PluginSpec, ...]
    #: what a row of a table, or a molecule, must come with: [{"name", "type", "unit"?, "format"?}]
    columns: tuple[dict[str, Any], ...] = ()
    #: what column featurizers learned from the training rows
    column_state: tuple[Any, ...] = ()
    feature_set_key: str
    #: how intervals and probabilities were calibrated: {"method", "level", "n": {target: rows}}
    calibration: dict[str, Any] | None = None
    #: parts of the split that it was fitted on
    learned: tuple[str, ...] = ("train",)
    dataset: dict[str, Any]
    split: dict[str, Any]
    seed: int
    facts: dict[str, Any] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    #: the code that trained it: {"version", "revision"}
    code: dict[str, str | None] = Field(default_factory=dict)
    #: path below the model's folder -> SHA-256
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def needs_structures(self) -> bool:
        """Else its inputs are rows of a table (`columns`); a molecule may have columns too."""
        return any(featurizers.get(spec.name).input == "molecule" for spec in self.features)

    @property
    def learning_task(self) -> LearningTask:
        return LearningTask(type=self.task, targets=self.targets, classes=self.classes)


@dataclass(frozen=True, kw_only=True)
class SavedBundle:
    manifest_key: str
    #: of manifest.json
    sha256: str


@dataclass(frozen=True, kw_only=True)
class BundlePredictions:
    """For n inputs, in order."""

    #: standardized SMILES; None where the input was refused, or is a row of a table
    canonical: list[str | None]
    #: why there is no number; None where there is one
    reasons: list[str | None]
    #: what was put in for missing or unknown cells, per input
    notes: list[list[str]]
    #: rows of `predictions` belong to these inputs
    rows: NDArray[np.int64]
    predictions: Predictions
    #: of those rows; None for a model of an earlier version
    assessment: Assessment | None = None


@dataclass(frozen=True, kw_only=True)
class ModelBundle:
    manifest: BundleManifest
    fitted: FittedModel
    features: FittedFeatures = field(repr=False)
    assessor: Assessor | None = field(default=None, repr=False)
    #: of the files that it was loaded from
    stored_bytes: int = 0

    @classmethod
    def new(
        cls,
        manifest: BundleManifest,
        fitted: FittedModel,
        assessor: Assessor | None = None,
        stored_bytes: int = 0,
    ) -> Self:
        features = FittedFeatures.load(FeatureSet(manifest.features), manifest.column_state)
        return cls(
            manifest=manifest,
            fitted=fitted,
            features=features,
            assessor=assessor,
            stored_bytes=stored_bytes,
        )

    @property
    def memory_bytes(self) -> int:
        """Estimate of what it takes in memory now: files twice (a forest of 100 trees takes 1.8
        times its file, flat form included), the references' fingerprints, which lie unpacked, and
        the tables by which they are found, which grow with the first questions.
        """
        if self.assessor is None:
            return 2 * self.stored_bytes
        found_by = self.assessor.references.keys.nbytes + self.assessor.index.memory_bytes
        return 2 * self.stored_bytes + found_by

    @cached_property
    def needs_structures(self) -> bool:
        return self.manifest.needs_structures

    # ---- storing

    def save(
        self, storage: Storage, model_id: UUID, extra: dict[str, bytes] | None = None
    ) -> SavedBundle:
        """Write weights and `extra` files (plots, metrics), the manifest last."""
        with tempfile.TemporaryDirectory(prefix="retort-model-") as name:
            folder = Path(name)
            (folder / "weights").mkdir()
            self.fitted.save(folder / "weights")
            if self.assessor is not None:
                (folder / "assessment").mkdir()
                self.assessor.save(folder / "assessment")
            for path, data in (extra or {}).items():
                (folder / path).write_bytes(data)
            files = {}
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                relative = file.relative_to(folder).as_posix()
                files[relative] = sha256_of_file(file)
                storage.write_file(keys.model(model_id, relative), file)
        manifest = self.manifest.model_copy(
            update={"files": files, "libraries": libraries(), "code": code_revision()}
        )
        data = manifest.model_dump_json(indent=1).encode()
        manifest_key = keys.model(model_id, "manifest.json")
        storage.write(manifest_key, data)
        return SavedBundle(manifest_key=manifest_key, sha256=_sha256(data))

    @classmethod
    def load(
        cls, storage: Storage, manifest_key: str, *, expected_sha256: str | None = None
    ) -> Self:
        """Raises InvalidInput when a file is not the one that was stored, NotFound when missing."""
        data = storage.read(manifest_key)
        if expected_sha256 is not None and _sha256(data) != expected_sha256:
            raise _altered("manifest.json")
        manifest = BundleManifest.model_validate_json(data)
        folder_key = manifest_key.rpartition("/")[0]
        stored_bytes = 0
        with tempfile.TemporaryDirectory(prefix="retort-model-") as name:
            folder = Path(name)
            for relative, expected in manifest.files.items():
                if relative.startswith(_LOADED):
                    content = storage.read(f"{folder_key}/{relative}")
                    if _sha256(content) != expected:
                        raise _altered(relative)
                    stored_bytes += _below(folder, relative).write_bytes(content)
            task, assessment = manifest.learning_task, folder / "assessment"
            fitted = algorithms.get(manifest.algorithm).load(folder / "weights", task)
            assessor = Assessor.load(assessment, task) if assessment.exists() else None
        bundle = cls.new(manifest, fitted, assessor, stored_bytes)
        if bundle.features.feature_set.key != manifest.feature_set_key:
            raise InvalidInput(
                "the model's features are computed differently by this version of the product",
                code="model_outdated",
                remedy="Train the model again.",
            )
        return bundle

    # ---- predicting

    def predict(
        self,
        smiles: Sequence[str],
        cache: MoleculeCache | None = None,
        beside: Sequence[Row] | None = None,
    ) -> BundlePredictions:
        """Raw SMILES in; one entry out for each, with a reason where there is no number. `beside`:
        of each the values of `manifest.columns`, for a model that has learned from such.
        """
        from app.chem.standardize import standardized_or_reason

        structures = map(standardized_or_reason, smiles)
        return self.predict_standardized(structures, len(smiles), cache, beside)

    def predict_standardized(
        self,
        structures: Iterable[Any],
        count: int,
        cache: MoleculeCache | None = None,
        beside: Sequence[Row] | None = None,
        first_row: int | None = None,
    ) -> BundlePredictions:
        """As `predict`, for `count` of `Standardized` structures, or the reason (str) why there is
        none; they are best made while they are asked for (`featurize_structures`).

        `first_row`: where the first input stands in its file, counted from 0. Then what is said of
        an input is the same to the last bit whatever others are given with it (`in_blocks`).
        """
        given: Sequence[Row] = [{}] * count if beside is None else beside
        refused = [row if isinstance(row, str) else None for row in given]
        found = featurize_structures(self.features.feature_set, structures, count, cache, refused)
        return self._predicted(
            found.matrix,
            found.bits,
            [row for row, reason in enumerate(found.reasons) if reason is None],
            given,
            first_row,
            canonical=found.canonical,
            reasons=found.reasons,
        )

    def predict_featurized(
        self,
        *,
        canonical: list[str | None],
        reasons: list[str | None],
        molecular: NDArray[Any],
        bits: NDArray[np.uint8],
        first_row: int | None = None,
    ) -> BundlePredictions:
        """Molecules that are standardized and featurized already, by a model that needs nothing
        beside them. `molecular` (m, width) and `bits` (m, 2048) are of those without a reason;
        `first_row` as in `predict_standardized`.
        """
        rows = [row for row, reason in enumerate(reasons) if reason is None]
        nothing: list[Row] = [{}] * len(reasons)
        return self._predicted(
            molecular, bits, rows, nothing, first_row, canonical=canonical, reasons=reasons
        )

    def predict_rows(self, rows: Sequence[Row], first_row: int | None = None) -> BundlePredictions:
        """Rows of a table: values by the names of `manifest.columns`, or the reason (str) why a row
        cannot be read; `first_row` as in `predict_standardized`.
        """
        reasons: list[str | None] = [row if isinstance(row, str) else None for row in rows]
        good = [number for number, row in enumerate(rows) if not isinstance(row, str)]
        molecular = np.empty((len(good), 0), dtype=np.float32)
        return self._predicted(
            molecular, None, good, rows, first_row, canonical=[None] * len(rows), reasons=reasons
        )

    def _predicted(
        self,
        molecular: NDArray[Any],
        bits: NDArray[np.uint8] | None,
        rows: Sequence[int],
        given: Sequence[Row],
        first_row: int | None,
        **told: Any,
    ) -> BundlePredictions:
        """`molecular`: features of the molecules of `rows`, `bits` their fingerprints; `given`: of
        every input its columns.
        """
        cells = self._cells([given[row] for row in rows])
        notes: list[list[str]] = [[] for _ in given]
        for row, found in zip(rows, self.features.notes(cells, len(rows)), strict=True):
            notes[row] = found
        X = self.features.matrix(molecular, cells)
        keys = X if bits is None else bits
        at = np.asarray(rows, dtype=np.int64)
        predictions, assessment = (
            self._asked(X, keys)
            if first_row is None
            else in_blocks(self._asked, X, keys, first_row + at)
        )
        return BundlePredictions(
            rows=at,
            predictions=predictions,
            assessment=assessment,
            notes=notes,
            **told,
        )

    def _asked(self, X: NDArray[Any], keys: NDArray[Any]) -> tuple[Predictions, Assessment | None]:
        predictions = self.predict_matrix(X)
        return predictions, self.assess(X, keys, predictions)

    def _cells(self, rows: Sequence[Any]) -> Cells:
        """Of the manifest's columns. Raises InvalidInput when a row lacks one (F-08)."""
        names = [column["name"] for column in self.manifest.columns]
        missing = [name for name in names if any(name not in row for row in rows)]
        if missing:
            raise InvalidInput(
                f"the model has learned from columns that are not given: {', '.join(missing[:20])}",
                code="missing_columns",
            )
        return cell_arrays(
            self.manifest.columns, {name: [row[name] for row in rows] for name in names}
        )

    def assess(
        self, X: NDArray[Any], keys: NDArray[Any], predictions: Predictions
    ) -> Assessment | None:
        """What is said about these predictions for X; `keys` as in `ReferenceRows`."""
        if self.assessor is None:
            return None
        return self.assessor.assess(X, keys, predictions)

    def predict_matrix(self, X: NDArray[Any]) -> Predictions:
        """(n, width) features in, calibrated probabilities out; no rows have the same parts as many
        (a spread, probabilities), though no estimator can be asked about them.
        """
        if not len(X):
            one = np.zeros((1, X.shape[1]), dtype=X.dtype)
            return self.predict_matrix(one).taken(np.empty(0, dtype=np.int64))
        found = self.fitted.predict(X)
        return found if self.assessor is None else self.assessor.calibrated(found)


def libraries() -> dict[str, str]:
    """Versions that the numbers depend on."""
    here = [*_LIBRARIES, *(name for name in _OPTIONAL if any(metadata.distributions(name=name)))]
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in here}


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _below(folder: Path, relative: str) -> Path:
    """Where a stored file lies in `folder`; an ensemble's members have folders of their own."""
    if ".." in Path(relative).parts:
        raise _altered(relative)
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _altered(name: str) -> InvalidInput:
    return InvalidInput(
        f"the model file {name} is not the one that was stored",
        code="model_altered",
        remedy="Restore the file from a backup, or train the model again.",
    )
