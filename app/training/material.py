"""A data set ready to learn from: labels, split, and what features are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import Algorithm, Examples
from app.core.errors import FieldError, InvalidInput, LeakFound
from app.core.hashing import content_key
from app.core.requests import PluginSpec
from app.core.work import WorkContext
from app.datasets.records import Dataset, load_dataset
from app.features.cells import cell_arrays
from app.features.compute import FeatureSet
from app.features.fitted import FittedFeatures
from app.features.matrix import dataset_matrix
from app.features.params import DEFAULT_FEATURES, TABLE_FEATURES
from app.features.recipes.base import expanded
from app.featurizers.base import Cells, Targets
from app.resources import Resources
from app.splitters.base import Indices
from app.training.examples import Labels, read_labels
from app.training.params import LearnSpec
from app.training.splitting import StoredSplit, split_dataset

STAGES = ("load", "featurize", "calibrate", "fit", "evaluate", "save")


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Features of molecules are computed for all rows at once; those of a table's columns are
    learned anew from the training rows of each fit.
    """

    dataset: Dataset
    labels: Labels
    #: as named in the request, or the default of the data set's kind
    features: tuple[PluginSpec, ...]
    feature_set: FeatureSet
    #: (rows, feature_set.width) of molecules
    molecular: NDArray[Any]
    #: feature columns of a table: [{"name", "type", "unit"?, "format"?}]
    columns: tuple[dict[str, Any], ...]
    #: all rows of those columns
    cells: Cells
    #: rows without features, in the data set's order
    featureless: frozenset[int]
    #: (rows,) how much each counts in a fit; None where the data set has no column of weights.
    #: Metrics count all rows the same
    weights: NDArray[np.float64] | None = None

    @property
    def width(self) -> int:
        """Feature columns before those of a table are encoded."""
        return self.feature_set.width + len(self.columns)

    def usable(self, rows: Indices) -> Indices:
        return np.asarray([row for row in rows if row not in self.featureless], dtype=np.int64)

    def fit_features(self, rows: Indices) -> FittedFeatures:
        """Learned from these rows, which must be training rows."""
        cells, targets = self._cells(rows), self._targets(rows)
        features = FittedFeatures.fit(self.feature_set, self.columns, cells, targets)
        return replace(features, rows_hash=rows_hash(rows))

    def matrix(self, features: FittedFeatures, rows: Indices) -> NDArray[Any]:
        """(len(rows), features.width)."""
        return features.matrix(self.molecular[rows], self._cells(rows))

    def examples(self, features: FittedFeatures, rows: Indices) -> Examples:
        """Of the rows that the features were learned from: without a row's own target in them."""
        weights = None if self.weights is None else self.weights[rows]
        return Examples(
            X=self._learned_matrix(features, rows), y=self.labels.y[rows], weights=weights
        )

    def _learned_matrix(self, features: FittedFeatures, rows: Indices) -> NDArray[Any]:
        if features.rows_hash != rows_hash(rows):
            return self.matrix(features, rows)
        molecular, cells = self.molecular[rows], self._cells(rows)
        return features.training_matrix(molecular, cells, self._targets(rows))

    def _targets(self, rows: Indices) -> Targets:
        task = self.labels.task
        return Targets(names=task.targets, classes=task.classes, y=self.labels.y[rows])

    def _cells(self, rows: Indices) -> Cells:
        return {name: values[rows] for name, values in self.cells.items()}


@dataclass(frozen=True, kw_only=True)
class Material(LabelledRows):
    """With the rows told apart that train, validate and test."""

    split: StoredSplit

    @property
    def learned(self) -> Indices:
        """Train and validation rows: all that may be learned from."""
        split = self.split.split
        return np.sort(np.concatenate([split.train, split.validation]))

    def fit_features(self, rows: Indices) -> FittedFeatures:
        """Learned from these rows. Raises LeakFound when one of them is a test row."""
        leaked = np.intersect1d(rows, self.split.split.test)
        if len(leaked):
            raise LeakFound(f"features must not be learned from test rows ({len(leaked)} of them)")
        return super().fit_features(rows)


def rows_hash(rows: Indices) -> str:
    """Equal for equal sets of rows."""
    return content_key(np.sort(rows).tolist())


def prepare(resources: Resources, context: WorkContext, spec: LearnSpec) -> Material:
    """What `train` and `optimize` begin with. Raises InvalidInput for what cannot be learned."""
    dataset, labels = _load(resources, context, spec)
    split = split_dataset(resources, dataset, spec.split, labels.y)
    return Material(split=split, **vars(_featurized(resources, context, spec, dataset, labels)))


def prepare_rows(resources: Resources, context: WorkContext, spec: LearnSpec) -> LabelledRows:
    """The same without a split: `compare` cuts all rows into folds. Raises InvalidInput."""
    return _featurized(resources, context, spec, *_load(resources, context, spec))


def _load(resources: Resources, context: WorkContext, spec: LearnSpec) -> tuple[Dataset, Labels]:
    if spec.dataset_id is None:
        raise InvalidInput("a training job needs a data set")
    tell(context, "load", spec.dataset)
    dataset = load_dataset(resources, spec.dataset_id)
    return dataset, read_labels(dataset, spec)


def _featurized(
    resources: Resources,
    context: WorkContext,
    spec: LearnSpec,
    dataset: Dataset,
    labels: Labels,
) -> LabelledRows:
    tell(context, "featurize", f"{dataset.size} rows")
    default = DEFAULT_FEATURES if dataset.smiles else TABLE_FEATURES
    features = expanded(spec.features) or default
    feature_set = FeatureSet(features)
    columns = _feature_columns(dataset, labels.task.targets, feature_set)
    molecular, errors = _molecular(resources, context, dataset, feature_set)
    if errors:
        context.warn("rows_without_features", f"{len(errors)} rows have no features")
    return LabelledRows(
        dataset=dataset,
        labels=labels,
        features=features,
        feature_set=feature_set,
        molecular=molecular,
        columns=columns,
        cells=cell_arrays(columns, {c["name"]: dataset.values(c["name"]) for c in columns}),
        featureless=frozenset(errors),
        weights=_weights(dataset),
    )


def _weights(dataset: Dataset) -> NDArray[np.float64] | None:
    for name in dataset.named("weight"):
        return np.array(dataset.values(name), dtype=np.float64)
    return None


def warn_of_ignored_weights(
    context: WorkContext, material: LabelledRows, algorithm: Algorithm
) -> None:
    """Where the data set has weights and a part of the algorithm cannot use them."""
    ignoring = algorithm.ignoring_weights() if material.weights is not None else ()
    if ignoring:
        names = ", ".join(ignoring)
        context.warn("weights_ignored", f"{names} cannot use weights: all rows counted the same")


def tell(context: WorkContext, stage: str, message: str) -> None:
    done = STAGES.index(stage)
    context.progress(done, len(STAGES), unit="stage", stage=stage, message=message)


def _molecular(
    resources: Resources, context: WorkContext, dataset: Dataset, feature_set: FeatureSet
) -> tuple[NDArray[Any], dict[int, str]]:
    for featurizer in feature_set.of_molecules:
        if featurizer.output in ("tokens", "graphs"):
            raise _unfit(
                f"{featurizer.name} gives {featurizer.output}, no matrix of numbers",
                "Name fingerprints or descriptors.",
            )
    if not feature_set.featurizers:
        return np.empty((dataset.size, 0), dtype=np.float32), {}
    if not dataset.smiles:
        name = feature_set.featurizers[0].name
        raise _unfit(
            f"{name} needs molecules, and {dataset.ref} is a table",
            "Leave `features` out, or name `columns`.",
        )
    found = dataset_matrix(resources, context, dataset.id, dataset.smiles, feature_set)
    return found.matrix, found.errors


def _feature_columns(
    dataset: Dataset, targets: Sequence[str], feature_set: FeatureSet
) -> tuple[dict[str, Any], ...]:
    """Columns with the role feature that are no target of this model."""
    if not feature_set.column_featurizers:
        return ()
    columns = tuple(
        column
        for column in dataset.columns
        if column["role"] == "feature" and column["name"] not in targets
    )
    if not columns:
        raise _unfit(
            f"the data set {dataset.ref} has no feature column",
            'Give columns the role "feature" at ingest.',
        )
    return columns


def _unfit(detail: str, remedy: str) -> InvalidInput:
    return InvalidInput(
        detail,
        code="features_do_not_fit",
        remedy=remedy,
        errors=[FieldError(pointer="/params/features", code="features_do_not_fit", detail=detail)],
    )
