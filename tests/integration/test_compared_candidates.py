"""`compare` on real blobs and Postgres: planted cases, and the same numbers as scikit-learn."""

import io

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error

from app.comparison import folds as fold_store
from app.comparison import service as comparison
from app.comparison.params import CompareParams
from app.core.errors import InvalidInput
from app.core.work import SilentContext
from app.db.datasets import SplitRow
from app.db.files import FileRow
from app.training.folds import folds_hash, read_folds
from tests.support.datasets import PROJECT, ingested, job_context
from tests.support.inprocess import run_fan_out
from tests.support.molecules import DATA, ESOL_TARGET

RIDGE = {"algorithm": {"name": "ridge", "params": {"alpha": 1.0}}}
FOREST = {"algorithm": {"name": "random_forest", "params": {"n_estimators": 10}}}


def table_csv(n=120, *, noise=0.3, seed=0, scrambled=False):
    """y is linear in x1 to x4; `scrambled`: y has nothing to do with them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    y = x @ [1.0, -2.0, 0.5, 1.5] + noise * rng.normal(size=n)
    if scrambled:
        y = rng.permutation(y)
    lines = [",".join(f"{value:.6f}" for value in row) for row in np.column_stack([x, y])]
    return "x1,x2,x3,x4,y\n" + "\n".join(lines)


def table(resources, **options):
    roles = {"y": "target", **{f"x{n}": "feature" for n in range(1, 5)}}
    return ingested(resources, table_csv(**options), kind="table", roles=roles)[0]


class Compared:
    def __init__(self, resources, dataset_id, candidates, *, fail=(), **options):
        self.context = job_context(resources, "compare")
        self.params = CompareParams(
            dataset="d", dataset_id=dataset_id, candidates=candidates, **options
        )
        self.resources = resources
        self.outcome = run_fan_out(comparison, resources, self.context, self.params, fail=fail)
        with resources.database.session() as session:
            self.cited = self.outcome.commit(session)
        self.found = orjson.loads(self.read("comparison.json"))

    def read(self, name):
        with self.resources.database.session() as session:
            row = session.query(FileRow).filter_by(job_id=self.context.job_id, name=name).one()
        return self.resources.storage.read(row.storage_key)

    @property
    def codes(self):
        return {(finding["code"], finding["candidate"]) for finding in self.found["findings"]}


@pytest.mark.req("S0-10", "goal-54")
def test_a_clearly_better_candidate_wins_and_its_scores_are_those_of_scikit_learn(resources):
    dataset_id = table(resources)
    done = Compared(resources, dataset_id, (FOREST, RIDGE), repeats=2)
    rmse = done.found["metrics"]["rmse"]
    assert done.found["winner"] == "ridge"
    assert "better than the other candidate" in done.found["conclusion"]
    assert [one["group"] for one in rmse["candidates"]] == ["a", "b"]
    (pair,) = rmse["pairs"]
    assert (pair["better"], pair["worse"]) == ("ridge", "random_forest")
    assert pair["high"] < 0, "the whole interval of the difference in rmse is below 0"
    assert pair["folds_dependent"]["p_value"] > pair["p_value"]

    x = np.loadtxt(io.StringIO(table_csv()), delimiter=",", skiprows=1)
    folds = fold_store.stored(resources.storage, done.context.job_id, 1)
    expected, baseline = [], []
    for fold in [fold for repeat in folds for fold in repeat]:
        train, test = x[fold.train], x[fold.test]
        mean, std = train[:, :4].mean(axis=0), train[:, :4].std(axis=0)
        model = Ridge().fit((train[:, :4] - mean) / std, train[:, 4])
        predicted = model.predict((test[:, :4] - mean) / std)
        expected.append(root_mean_squared_error(test[:, 4], predicted))
        mean = np.full(len(test), train[:, 4].mean())
        baseline.append(root_mean_squared_error(test[:, 4], mean))
    assert rmse["candidates"][0]["scores"] == pytest.approx(expected, rel=1e-3)
    assert rmse["baseline"]["scores"] == pytest.approx(baseline, rel=1e-4)
    assert rmse["candidates"][0]["std"] == pytest.approx(np.std(expected, ddof=1), rel=1e-2)


@pytest.mark.req("S0-10")
def test_equal_candidates_are_not_told_apart_and_the_same_request_gives_the_same_bytes(resources):
    dataset_id = table(resources, n=80)
    equal = (RIDGE | {"name": "one"}, RIDGE | {"name": "two"}, FOREST)
    asked = {"folds": 3, "repeats": 2, "y_scrambling": 2, "learning_curve": (0.5,)}
    first, again = (Compared(resources, dataset_id, equal, **asked) for _ in range(2))
    rmse = first.found["metrics"]["rmse"]
    assert first.found["winner"] is None
    assert "one and two cannot be told apart" in first.found["conclusion"]
    assert [one["group"] for one in rmse["candidates"]] == ["a", "a", "b"]
    assert rmse["candidates"][0]["scores"] == rmse["candidates"][1]["scores"], "the same folds"
    for name in ("comparison.json", "scores.parquet", "comparison.html"):
        assert first.read(name) == again.read(name), name


def test_seeds_of_a_forest_are_not_told_apart(resources):
    """Candidates that differ by chance alone."""
    forests = tuple(
        {
            "name": str(trees),
            "algorithm": {"name": "random_forest", "params": {"n_estimators": trees}},
        }
        for trees in (20, 21)
    )
    found = Compared(resources, table(resources), forests).found
    assert found["winner"] is None
    assert found["metrics"]["rmse"]["pairs"][0]["folds_dependent"]["p_value"] > 0.05


@pytest.mark.req("S0-10")
def test_a_scrambled_target_is_caught(resources):
    dataset_id = table(resources, scrambled=True)
    options = {"folds": 3, "repeats": 1, "y_scrambling": 19}
    done = Compared(resources, dataset_id, (RIDGE, FOREST), **options)
    for name in ("ridge", "random_forest"):
        assert done.found["y_scrambling"][name]["p_value"] > 0.1
        assert ("no_better_than_baseline", name) in done.codes
        assert ("no_better_than_scrambled", name) in done.codes
    assert {code for code, _ in done.context.warnings} == {code for code, _ in done.codes}


@pytest.mark.req("S0-10")
def test_a_real_target_beats_every_permutation_and_the_baseline(resources):
    done = Compared(resources, table(resources), (RIDGE,), folds=3, repeats=2, y_scrambling=19)
    scrambled = done.found["y_scrambling"]["ridge"]
    assert scrambled["p_value"] == 1 / 20
    rmse = done.found["metrics"]["rmse"]
    assert scrambled["real"] == pytest.approx(np.mean(rmse["candidates"][0]["scores"][:3]))
    assert min(scrambled["scrambled"]) > 2 * scrambled["real"]
    assert rmse["candidates"][0]["p_above_baseline"] < 0.001
    assert rmse["baseline"]["mean"] > 5 * rmse["candidates"][0]["mean"]
    assert done.codes == set()
    assert "better than" in done.found["conclusion"], "one candidate is set beside the baseline"


@pytest.mark.req("S0-10")
def test_the_learning_curve_says_whether_more_data_would_help(resources):
    """20 rows of 4 features with noise want more; 400 rows of a line do not."""
    asked = {"repeats": 2, "learning_curve": (0.25, 0.5)}
    forest = Compared(resources, table(resources, n=150, noise=0.1), (FOREST,), **asked)
    curve = forest.found["learning_curve"]["random_forest"]
    assert [point["fraction"] for point in curve["points"]] == [0.25, 0.5, 1.0]
    assert [point["n_train"] for point in curve["points"]] == [30.0, 60.0, 120.0]
    means = [point["mean"] for point in curve["points"]]
    assert means == sorted(means, reverse=True)
    assert curve["last_step"]["more_data_helps"]
    assert curve["last_step"]["improvement"] == pytest.approx(means[1] - means[2])
    assert curve["last_step"]["per_doubling"] == pytest.approx(means[1] - means[2])
    assert "would help" in curve["sentence"]
    line = Compared(resources, table(resources, n=300, noise=1.0), (RIDGE,), **asked)
    step = line.found["learning_curve"]["ridge"]["last_step"]
    assert not step["more_data_helps"]


def test_a_crashed_chunk_and_a_candidate_that_cannot_learn_leave_the_others(resources):
    """Chunks are single fits here: the first of the second candidate crashes."""
    done = Compared(resources, table(resources, n=60), (RIDGE, FOREST, RIDGE), repeats=1, fail={5})
    assert ("fits_failed", "random_forest") in done.codes
    assert ("candidate_left_out", "random_forest") in done.codes
    names = [one["name"] for one in done.found["metrics"]["rmse"]["candidates"]]
    assert names == ["ridge", "ridge #2"]
    assert done.outcome.counts == {"trials_total": 15, "trials_ok": 14, "trials_failed": 1}
    with pytest.raises(InvalidInput, match="no candidate could be scored"):
        Compared(resources, table(resources, n=60), (RIDGE,), repeats=1, fail=range(5))


def test_a_candidate_whose_features_are_all_constant_leaves_the_others(resources):
    """ErG of alkanes is the same for all of them."""
    chains = "\n".join(f"{'C' * n},{n * n}.5" for n in range(1, 31))
    dataset_id, _ = ingested(resources, f"smiles,y\n{chains}", roles={"y": "target"})
    candidates = (
        RIDGE | {"features": [{"name": "rdkit_descriptors"}]},
        RIDGE | {"features": [{"name": "erg"}], "name": "flat"},
    )
    done = Compared(resources, dataset_id, candidates, folds=3, repeats=1, targets=("y",))
    (failed,) = [one for one in done.found["findings"] if one["code"] == "fits_failed"]
    assert failed["candidate"] == "flat"
    assert "no feature differs among the 20 training rows of 'y'" in failed["detail"]
    assert done.found["metrics"]["rmse"]["left_out"] == ["flat"]
    assert done.found["metrics"]["rmse"]["n_folds"] == 3


def test_molecules_of_two_feature_sets_on_scaffold_folds(resources):
    rows = (DATA / "esol.csv").read_text().splitlines()[:161]
    dataset_id, _ = ingested(resources, "\n".join(rows), "esol.csv", name="esol")
    candidates = (
        {"algorithm": {"name": "ridge"}},
        {"algorithm": {"name": "ridge"}, "features": [{"name": "maccs"}]},
    )
    options = {"split": {"name": "scaffold"}, "folds": 3, "targets": (ESOL_TARGET,)}
    options["features"] = [{"name": "morgan_counts"}]
    done = Compared(resources, dataset_id, candidates, repeats=2, **options)
    assert [*done.found["candidates"]] == ["ridge", "ridge, maccs"]
    first, second = done.found["metrics"]["rmse"]["candidates"]
    assert np.abs(np.subtract(first["scores"], second["scores"])).min() > 1e-4, "of other features"
    folds = fold_store.stored(resources.storage, done.context.job_id, 1)
    table = pq.read_table(io.BytesIO(done.read("scores.parquet"))).to_pylist()
    scored = [row for row in table if row["metric"] == "rmse" and row["kind"] == "fold"]
    assert len(scored) == 2 * sum(len(repeat) for repeat in folds)
    assert len([r for r in table if r["kind"] == "baseline" and r["metric"] == "rmse"]) == 6
    for repeat in folds:
        held_out = np.concatenate([fold.test for fold in repeat])
        assert len(np.unique(held_out)) == len(held_out) == done.found["rows"]["used"]


def test_repeats_that_are_the_same_folds_count_once(resources):
    """A time split knows no chance; its folds learn from the earlier rows only."""
    split = {"name": "time", "params": {"column": "x1"}}
    done = Compared(resources, table(resources, n=80), (RIDGE,), split=split, folds=3, repeats=4)
    assert ("repeats_are_equal", None) in done.codes
    assert done.found["repeats"] == 1
    assert done.found["metrics"]["rmse"]["n_folds"] == 3
    (folds,) = fold_store.stored(resources.storage, done.context.job_id, 1)
    assert [len(fold.train) for fold in folds] == [20, 40, 60]
    ratio = np.mean([20 / 20, 20 / 40, 20 / 60])
    assert done.found["test_to_train"] == pytest.approx(ratio)


def test_classes_and_missing_labels_of_two_targets(resources):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 2))
    labels = [(x + 0.5 * rng.normal(size=x.shape)) > 0]
    lines = ["x1,x2,a,b"]
    for row, (a, b) in zip(x, labels[0], strict=True):
        said = "" if rng.random() < 0.3 else ("yes" if b else "no")
        lines.append(f"{row[0]:.4f},{row[1]:.4f},{'yes' if a else 'no'},{said}")
    roles = {"a": "target", "b": "target", "x1": "feature", "x2": "feature"}
    dataset_id, _ = ingested(resources, "\n".join(lines), kind="table", roles=roles)
    logistic = {"algorithm": {"name": "logistic_regression"}}
    done = Compared(resources, dataset_id, (logistic, FOREST), repeats=2, learning_curve=(0.5,))
    auc = done.found["metrics"]["roc_auc"]
    assert done.found["metric"] == "roc_auc"
    assert auc["baseline"]["mean"] == 0.5
    assert all(0.75 < one["mean"] <= 1 for one in auc["candidates"])
    assert done.codes == set()


def test_what_cannot_be_compared_is_refused(resources):
    dataset_id = table(resources, n=40)
    with pytest.raises(InvalidInput, match="does not do regression"):
        Compared(resources, dataset_id, ({"algorithm": {"name": "logistic_regression"}},))
    with pytest.raises(InvalidInput, match="does not measure regression"):
        Compared(resources, dataset_id, (RIDGE,), metrics=("roc_auc",))
    with pytest.raises(ValueError, match="2 candidates are called 'a'"):
        CompareParams(dataset="d", candidates=(RIDGE | {"name": "a"}, FOREST | {"name": "a"}))


def test_a_cancel_is_noticed_between_fits(resources):
    from app.core.errors import JobCancelled

    dataset_id = table(resources, n=40)
    context = SilentContext(project_id=PROJECT)
    params = CompareParams(dataset="d", dataset_id=dataset_id, candidates=(RIDGE,))
    plan = comparison.plan(resources, context, params)
    context.cancel = JobCancelled("stop")
    with pytest.raises(JobCancelled):
        comparison.run_chunk(resources, context, params, plan.chunks[0])


@pytest.mark.req("goal-28")
def test_its_folds_are_stored_with_the_data_set_and_cited(resources):
    dataset_id = table(resources)
    split = {"name": "random", "seed": 3}
    first, second = (
        Compared(resources, dataset_id, [RIDGE], folds=4, repeats=2, split=split) for _ in range(2)
    )
    with resources.database.session() as session:
        (row,) = session.query(SplitRow).filter_by(dataset_id=dataset_id).all()
    assert first.cited == second.cited == {"folds_id": str(row.id)}
    assert first.found["folds_hash"] == first.outcome.result["folds_hash"] == row.hash
    assert row.sizes == {"folds": 4, "repeats": 2, "rows": 120}
    assert (row.splitter, row.seed, row.test_uses) == ("random", 3, 0)
    repeats = read_folds(resources.storage.read(row.storage_key))
    for folds in repeats:
        assert sorted(place for fold in folds for place in fold.test) == list(range(120))
    assert folds_hash(repeats) == row.hash
