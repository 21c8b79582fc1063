"""A training says itself when nothing was learned."""

import csv

import numpy as np
import pytest

from app.core.work import SilentContext
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import PROJECT, ingested
from tests.support.molecules import DATA, ESOL_TARGET


@pytest.fixture(scope="module")
def esol():
    """The first 400 molecules of ESOL with their solubility, and the same values scrambled."""
    with (DATA / "esol.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))[:400]
    y = [float(row[ESOL_TARGET]) for row in rows]
    scrambled = np.random.default_rng(0).permutation(y)
    lines = [f"{row['smiles']},{a},{b}" for row, a, b in zip(rows, y, scrambled, strict=True)]
    return "\n".join(["smiles,solubility,scrambled", *lines])


def warnings(resources, content, *targets, **options):
    roles = {"solubility": "target", "scrambled": "target"}
    dataset_id, _ = ingested(resources, content, roles=roles)
    context = SilentContext(project_id=PROJECT)
    params = TrainParams(
        dataset="d",
        dataset_id=dataset_id,
        targets=targets,
        algorithm={"name": "random_forest", "params": {"n_estimators": 20}},
        features=({"name": "rdkit_properties"},),
        **options,
    )
    training.run(resources, context, params)
    return [detail for code, detail in context.warnings if code == "no_better_than_baseline"]


def test_a_scrambled_target_is_named_and_one_that_was_learned_is_not(resources, esol):
    assert warnings(resources, esol, "solubility") == []
    (alone,) = warnings(resources, esol, "scrambled")
    assert "always answering the mean: scrambled (rmse " in alone
    (both,) = warnings(resources, esol, "solubility", "scrambled")
    assert "scrambled (rmse" in both
    assert "solubility" not in both
