"""Several targets in different units: what is decided does not change with a unit."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error

from app.algorithms.base import algorithms
from app.core.work import SilentContext
from app.metrics.base import metrics
from app.training import service as training
from app.training.material import prepare
from app.training.params import TrainParams
from app.tuning.cross_validation import cross_validate, folds
from tests.integration.test_compared_candidates import FOREST, RIDGE, Compared
from tests.support.datasets import PROJECT, ingested

pytestmark = pytest.mark.req("F-07")
ALPHA = 1.0


def two_targets(resources, factor, **options):
    """`a` is linear in four columns, `b` mostly noise with a bend, in units of 1 / factor."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4))
    a = x @ [1.0, -2.0, 0.5, 1.5] + 0.3 * rng.normal(size=120)
    b = factor * (2 * np.abs(x[:, 0]) + rng.normal(size=120))
    table = np.column_stack([x, a, b])
    lines = [",".join(f"{value:.9g}" for value in row) for row in table]
    roles = {"a": "target", "b": "target", **{f"x{n}": "feature" for n in range(1, 5)}}
    content = "x1,x2,x3,x4,a,b\n" + "\n".join(lines)
    return ingested(resources, content, kind="table", roles=roles, **options)[0]


def test_a_comparison_divides_each_error_by_that_of_the_baseline(resources):
    done = Compared(resources, two_targets(resources, 1000.0), (FOREST, RIDGE), repeats=1)
    rmse = done.found["metrics"]["rmse"]
    rows = pq.read_table(io.BytesIO(done.read("scores.parquet"))).to_pylist()
    rows = [row for row in rows if row["metric"] == "rmse"]
    scales = {
        t: np.mean([r["value"] for r in rows if r["kind"] == "baseline" and r["target"] == t])
        for t in ("a", "b")
    }
    assert rmse["scales"] == pytest.approx(scales)
    for one in rmse["candidates"]:
        own = [r for r in rows if r["kind"] == "fold" and r["candidate"] == one["name"]]
        expected = np.mean([r["value"] / scales[r["target"]] for r in own])
        assert one["mean"] == pytest.approx(expected)
    assert rmse["baseline"]["mean"] == pytest.approx(1.0)
    assert done.found["winner"] == "ridge", "of the plain errors only those of b would count"
    plain = {
        name: np.mean([r["value"] for r in rows if r["candidate"] == name])
        for name in ("ridge", "random_forest")
    }
    assert plain["random_forest"] < plain["ridge"]
    assert "rmse relative to the baseline lower by" in done.found["conclusion"]
    page = done.read("comparison.html").decode()
    assert "rmse relative to the baseline" in page
    assert "each target's error is divided" in " ".join(done.found["caution"])


def test_another_unit_of_a_target_changes_nothing_that_is_compared(resources):
    made = [
        Compared(resources, two_targets(resources, f), (FOREST, RIDGE), repeats=1).found
        for f in (1.0, 1024.0)
    ]
    for metric in ("rmse", "spearman"):
        first, second = (one["metrics"][metric] for one in made)
        means = [[c["mean"] for c in one["candidates"]] for one in (first, second)]
        assert means[0] == pytest.approx(means[1], rel=1e-5)
    assert made[0]["metrics"]["spearman"]["scales"] is None
    assert made[0]["winner"] == made[1]["winner"] == "ridge"


def test_a_study_scores_a_trial_relative_to_the_baseline(resources):
    spec = TrainParams(
        dataset="d",
        dataset_id=two_targets(resources, 1000.0),
        algorithm={"name": "ridge"},
        features=({"name": "columns"},),
    )
    material = prepare(resources, SilentContext(project_id=PROJECT), spec)
    parts = folds(material, 3, 0)
    algorithm = algorithms.get("ridge").from_values({"alpha": ALPHA})

    def scored(metric):
        return cross_validate(
            material,
            algorithm,
            metrics.get(metric)(),
            parts,
            seed=0,
            threads=1,
            device="cpu",
            work=SilentContext(project_id=PROJECT),
        )

    errors, baselines = [], []
    y = material.labels.y
    for held_out in parts:
        train = np.setdiff1d(np.concatenate(parts), held_out)
        x = material.matrix(material.fit_features(train), np.arange(len(y)))
        mean, std = x[train].mean(axis=0), x[train].std(axis=0)
        x = (x - mean) / std
        for found, model in ((errors, Ridge(alpha=ALPHA)), (baselines, DummyRegressor())):
            said = model.fit(x[train], y[train]).predict(x[held_out])
            found.append(
                root_mean_squared_error(y[held_out], said, multioutput="raw_values").tolist()
            )
    expected = np.mean(np.array(errors) / np.mean(baselines, axis=0))
    assert scored("rmse") == pytest.approx(expected, rel=1e-3)


def trained(resources, dataset_id, **options):
    params = TrainParams(
        dataset="d", dataset_id=dataset_id, algorithm={"name": "ridge"}, bootstrap=0, **options
    )
    return training.run(resources, SilentContext(project_id=PROJECT), params).result["metrics"]


def test_a_training_has_a_mean_error_only_where_the_units_are_one(resources):
    unlike = {"a": "kJ/mol", "b": "K"}
    found = trained(resources, two_targets(resources, 1.0, units=unlike))
    nothing = {"value": None, "ci_low": None, "ci_high": None}
    assert found["mean"]["rmse"] == found["mean"]["mse"] == nothing
    assert found["baseline_mean"]["mae"] == nothing
    r2 = [found["test"][target]["r2"]["value"] for target in "ab"]
    assert found["mean"]["r2"]["value"] == pytest.approx(np.mean(r2))
    same = trained(resources, two_targets(resources, 1.0, units={"a": "K", "b": "K"}))
    rmse = [same["test"][target]["rmse"]["value"] for target in "ab"]
    assert same["mean"]["rmse"]["value"] == pytest.approx(np.mean(rmse))
    alone = trained(resources, two_targets(resources, 1.0, units=unlike), targets=("b",))
    assert alone["mean"]["rmse"]["value"] == alone["test"]["b"]["rmse"]["value"]
