"""Whole models of molecules without a database: features, a fitted algorithm, an assessor."""

import numpy as np

from app.algorithms.base import Examples, FitContext, algorithms
from app.core.requests import PluginSpec
from app.features.compute import FeatureSet, featurize_smiles
from app.features.fingerprints import fingerprints
from app.models.bundle import BundleManifest, ModelBundle
from app.uncertainty.assessor import Assessor, HeldOut
from app.uncertainty.nearest import Nearest
from app.uncertainty.references import ReferenceRows

MOLECULES = [
    f"{'C' * n}{group}{tail}"
    for n in range(1, 9)
    for group in ("O", "N", "S", "C(=O)", "c1ccccc1")
    for tail in ("", "CC")
]
FEATURES = (PluginSpec(name="maccs"), PluginSpec(name="rdkit_properties"))


def bundle_of(name, task, params, *, classes=None, features=FEATURES, held=True):
    """Of `MOLECULES`; `classes`: indices that training rows have."""
    feature_set = FeatureSet(features)
    from app.chem.standardize import standardize

    structures = [standardize(smiles) for smiles in MOLECULES]
    smiles = [each.smiles for each in structures]
    X = featurize_smiles(feature_set, smiles, None).matrix
    y = labels(X, task, classes)
    algorithm = algorithms.get(name).from_values(params)
    context = FitContext(device="cpu")
    fitted = algorithm.fit(task, Examples(X=X, y=y), None, context)
    assessor = assessor_of(task, fitted, X, y, smiles) if held else None
    manifest = BundleManifest(
        name="made",
        task=task.type,
        targets=task.targets,
        classes=task.classes,
        algorithm=name,
        algorithm_version=algorithm.version,
        hyperparameters=params,
        features=features,
        feature_set_key=feature_set.key,
        calibration=None if assessor is None else assessor.calibration.summary,
        dataset={"ref": "made:1"},
        split={},
        seed=0,
    )
    return ModelBundle.new(manifest, fitted, assessor)


def labels(X, task, classes=None):
    """(n, targets) that depend on a few columns of X."""
    size = X[:, -12:].sum(axis=1)
    order = np.argsort(np.argsort(size, kind="stable"), kind="stable") / len(X)
    columns = []
    for number in range(len(task.targets)):
        if task.type == "regression":
            columns.append(order * (number + 1) + 0.3 * X[:, 100 + number])
            continue
        known = np.asarray(classes or range(len(task.classes[number])))
        noisy = (order + 0.15 * np.sin(np.arange(len(X)) * 7.0)) * len(known)
        columns.append(known[np.clip(noisy.astype(int), 0, len(known) - 1)].astype(float))
    return np.column_stack(columns)


def assessor_of(task, fitted, X, y, smiles):
    """From the model's own predictions, as if they were held out: enough to calibrate with."""
    bits = fingerprints(smiles, None)
    rows = np.arange(len(X))
    references = ReferenceRows(
        numbers=rows + 1, smiles=smiles, y=y, residuals=y - fitted.predict(X).values, keys=bits
    )
    places = (rows[:, None] + np.arange(1, 6)) % len(X)
    held = HeldOut(
        rows=rows,
        fold=rows % 5,
        predictions=fitted.predict(X),
        nearest=Nearest(places=places, similarity=np.full(places.shape, 0.5)),
        beyond=np.ones(len(X)),
    )
    assessor, _ = Assessor.fit(task, y, held, X, references, X, method="cross", decides=True)
    return assessor
