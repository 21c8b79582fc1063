"""What a prediction says of itself, on real data: interval, confidence, domain, neighbours."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from app.core.work import SilentContext
from app.models.bundle import ModelBundle
from app.prediction.answers import answer_columns, answer_items
from app.training import service as training
from app.training.params import TrainParams
from app.uncertainty import assessor
from app.uncertainty.expected_error import follows_distance
from tests.support.datasets import PROJECT, ingested
from tests.support.molecules import DATA, ESOL_TARGET, rows_of

FAST = {"algorithm": {"name": "ridge"}, "bootstrap": 0}
MACCS = ({"name": "maccs"},)


def train(resources, dataset_id, **options):
    params = TrainParams(dataset="x", dataset_id=dataset_id, **{**FAST, **options})
    context = SilentContext(project_id=PROJECT)
    result = training.run(resources, context, params).result
    manifest = f"models/{result['model_id']}/manifest.json"
    bundle = ModelBundle.load(resources.storage, manifest)
    table = pq.read_table(
        io.BytesIO(resources.storage.read(manifest.replace("manifest.json", "predictions.parquet")))
    )
    return bundle, result["metrics"], table.to_pandas()


@pytest.fixture
def esol(resources):
    dataset_id, _ = ingested(resources, DATA / "esol.csv", name="esol")
    return train(resources, dataset_id, targets=(ESOL_TARGET,), features=MACCS)


@pytest.mark.req("goal-52", "goal-80", "S2-10")
def test_what_is_said_of_the_test_rows_by_hand(esol):
    _, metrics, table = esol
    test = table[table["part"] == "test"]
    y, low = test[ESOL_TARGET], test[f"{ESOL_TARGET}_lower"]
    high, sure = test[f"{ESOL_TARGET}_upper"], test[f"{ESOL_TARGET}_confidence"]
    error = (y - test[f"{ESOL_TARGET}_predicted"]).abs()
    found = metrics["uncertainty"][ESOL_TARGET]
    assert found["coverage"]["value"] == pytest.approx(((y >= low) & (y <= high)).mean())
    assert found["coverage"]["ci_low"] < found["coverage"]["value"] < found["coverage"]["ci_high"]
    assert found["mean_width"] == pytest.approx((high - low).mean())
    order = error.to_numpy()[np.argsort(-sure.to_numpy(), kind="stable")]
    half = len(order) // 2
    assert found["confident_half"]["ratio"] == pytest.approx(
        order[:half].mean() / order[-half:].mean()
    )
    domain = metrics["domain"]
    assert domain["inside"] == pytest.approx(test["in_domain"].mean())
    inside = error[test["in_domain"]]
    assert domain["error_inside"][ESOL_TARGET]["value"] == pytest.approx(inside.mean())


def test_intervals_differ_and_are_wide_where_the_errors_are(esol):
    """Coverage of the rows that they were made from is that of the rank; the surer half errs less
    on rows unseen."""
    _, metrics, table = esol
    held = table[table["part"] == "out_of_fold"]
    covered = (held[ESOL_TARGET] >= held[f"{ESOL_TARGET}_lower"]) & (
        held[ESOL_TARGET] <= held[f"{ESOL_TARGET}_upper"]
    )
    assert covered.sum() == np.ceil((len(held) + 1) * 0.9)
    width = held[f"{ESOL_TARGET}_upper"] - held[f"{ESOL_TARGET}_lower"]
    assert width.max() > 2 * width.min()
    assert metrics["uncertainty"][ESOL_TARGET]["confident_half"]["ratio"] < 0.9


def test_every_row_but_the_test_rows_was_predicted_by_a_model_of_other_rows(esol, resources):
    """Ridge of the same features fitted on all of them has smaller errors there."""
    bundle, metrics, table = esol
    n = metrics["n"]
    assert (table["part"] == "out_of_fold").sum() == n["train"] + n["validation"]
    assert (table["part"] == "test").sum() == n["test"]
    held = table[table["part"] == "out_of_fold"]
    again = bundle.predict(list(held["smiles"])).predictions.values[:, 0]
    seen = np.sqrt(((held[ESOL_TARGET] - again) ** 2).mean())
    assert seen < 0.95 * metrics["out_of_fold"][ESOL_TARGET]["rmse"]["value"]


@pytest.mark.parametrize("calibration", ["cross", "split"])
def test_figures_of_held_out_rows_have_bootstrap_intervals(resources, calibration):
    """Against resamples that are drawn here."""
    dataset_id, _ = ingested(resources, DATA / "esol.csv", name="esol")
    options = {"targets": (ESOL_TARGET,), "features": MACCS, "bootstrap": 500}
    _, metrics, table = train(resources, dataset_id, calibration=calibration, **options)
    name = {"cross": "out_of_fold", "split": "validation"}[calibration]
    held = table[table["part"] == name]
    squared = ((held[ESOL_TARGET] - held[f"{ESOL_TARGET}_predicted"]) ** 2).to_numpy()
    rng = np.random.default_rng(99)
    drawn = np.sqrt(squared[rng.integers(0, len(squared), (4_000, len(squared)))].mean(axis=1))
    low, high = np.quantile(drawn, [0.025, 0.975])
    found = metrics[name][ESOL_TARGET]["rmse"]
    assert found["value"] == pytest.approx(np.sqrt(squared.mean()))
    assert found["ci_low"] == pytest.approx(low, abs=0.2 * (high - low))
    assert found["ci_high"] == pytest.approx(high, abs=0.2 * (high - low))


@pytest.mark.req("U-08", "goal-53", "goal-80")
def test_neighbours_are_the_most_similar_training_rows(esol):
    bundle, _, table = esol
    asked = list(table[table["part"] == "test"]["smiles"][:20])
    known = table[table["part"] == "out_of_fold"].set_index("row")
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(s)) for s in known["smiles"]]
    found = bundle.predict(asked)
    items = answer_items(bundle, [{"smiles": s} for s in asked], found)
    for smiles, item in zip(asked, items, strict=True):
        query = generator.GetFingerprint(Chem.MolFromSmiles(smiles))
        expected = np.sort(DataStructs.BulkTanimotoSimilarity(query, prints))[::-1][:3]
        nearest = item["domain"]["nearest"]
        assert [near["similarity"] for near in nearest] == pytest.approx(expected)
        for near in nearest:
            assert known.loc[near["row"], "smiles"] == near["smiles"]
            assert known.loc[near["row"], ESOL_TARGET] == near["measured"][ESOL_TARGET]


def test_what_is_unlike_everything_is_outside(esol):
    bundle, _, _ = esol
    strange = "[Na+].[O-]S(=O)(=O)C(F)(F)C(F)(F)C(F)(F)C(F)(F)C(F)(F)C(F)(F)C(F)(F)C(F)(F)F"
    found = bundle.predict([strange, "CCCCCCO"])
    assert found.assessment.inside.tolist() == [False, True]
    items = answer_items(bundle, [{"smiles": strange}, {"smiles": "CCCCCCO"}], found)
    calibration = bundle.assessor.calibration
    for item in items:
        domain = item["domain"]
        expected = ["similarity"] * (domain["similarity"] < calibration.similarity_threshold)
        expected += ["leverage"] * (domain["leverage"] > calibration.leverage_threshold)
        assert domain["outside_by"] == expected
    assert items[0]["domain"]["outside_by"]
    assert not items[1]["domain"]["outside_by"]


def test_files_and_json_say_the_same(esol):
    bundle, _, _ = esol
    asked = ["CCO", "not a molecule", "c1ccccc1O"]
    found = bundle.predict(asked)
    columns = {name: column.to_pylist() for name, column in answer_columns(bundle, found).items()}
    items = answer_items(bundle, [{"smiles": s} for s in asked], found)
    assert items[1]["domain"] is None
    assert columns["in_domain"][1] is None
    for row in (0, 2):
        target, domain = items[row]["targets"][ESOL_TARGET], items[row]["domain"]
        assert columns[f"{ESOL_TARGET}_confidence"][row] == target["confidence"]
        assert columns["in_domain"][row] == domain["inside"]
        assert columns["outside_by"][row] == (", ".join(domain["outside_by"]) or None)
        for ending, near in zip(("", "_2", "_3"), domain["nearest"], strict=True):
            assert columns[f"similarity{ending}"][row] == near["similarity"]
            assert columns[f"nearest{ending}"][row] == near["smiles"]
            assert columns[f"{ESOL_TARGET}_nearest{ending}"][row] == near["measured"][ESOL_TARGET]
    assert columns["nearest_3"][1] is columns[f"{ESOL_TARGET}_nearest"][1] is None


def test_a_stored_model_says_what_it_said_before(esol, resources):
    bundle, _, table = esol
    test = table[table["part"] == "test"]
    found = bundle.predict(list(test["smiles"]))
    assert found.assessment.lower[:, 0] == pytest.approx(test[f"{ESOL_TARGET}_lower"], rel=1e-5)
    assert found.assessment.confidence[:, 0] == pytest.approx(test[f"{ESOL_TARGET}_confidence"])
    assert found.assessment.inside.tolist() == test["in_domain"].tolist()


def test_a_scaffold_split_is_calibrated_on_scaffolds(resources, monkeypatch):
    """No scaffold is on both sides of a fold: the out-of-fold errors are those of new scaffolds,
    which are larger than those of random folds, and not drawn singly."""
    singly = []

    def noted(*args, drawn_singly):
        singly.append(drawn_singly)
        return follows_distance(*args, drawn_singly=drawn_singly)

    monkeypatch.setattr(assessor, "follows_distance", noted)
    dataset_id, _ = ingested(resources, DATA / "esol.csv", name="esol")
    options = {"targets": (ESOL_TARGET,), "features": MACCS}
    rmse = {}
    for split in ("random", "scaffold"):
        _, metrics, _ = train(resources, dataset_id, split={"name": split}, **options)
        rmse[split] = metrics["out_of_fold"][ESOL_TARGET]["rmse"]["value"]
    assert rmse["scaffold"] > 1.05 * rmse["random"]
    assert singly == [True, False]


def test_the_validation_part_is_not_learned_from_when_it_calibrates(resources):
    dataset_id, _ = ingested(resources, DATA / "esol.csv", name="esol")
    bundle, metrics, table = train(
        resources, dataset_id, targets=(ESOL_TARGET,), features=MACCS, calibration="split"
    )
    n = metrics["n"]
    assert bundle.manifest.calibration["method"] == "split_conformal"
    assert (table["part"] == "validation").sum() == n["validation"]
    assert len(bundle.assessor.references.numbers) == n["train"]
    validated = set(table[table["part"] == "validation"]["row"])
    assert not validated & set(bundle.assessor.references.numbers.tolist())
    assert 0.75 < metrics["uncertainty"][ESOL_TARGET]["coverage"]["value"] <= 1


@pytest.mark.req("goal-52")
def test_probabilities_of_classes_are_calibrated(resources):
    """Naive votes of few deep trees are overconfident; held-out rows mend that."""
    dataset_id, _ = ingested(resources, DATA / "telco_churn.csv", name="telco")
    algorithm = {"name": "random_forest", "params": {"n_estimators": 10}}
    bundle, metrics, table = train(resources, dataset_id, targets=("Churn",), algorithm=algorithm)
    assert metrics["uncertainty"]["Churn"]["ece"] <= 0.07
    test = table[table["part"] == "test"]
    p = test["Churn_probability_Yes"].to_numpy()
    assert (test["Churn_predicted"].to_numpy() == (p > 0.5)).all()
    assert test["Churn_confidence"].to_numpy() == pytest.approx(np.maximum(p, 1 - p))
    raw = bundle.fitted.predict(bundle.assessor.references.keys[:50]).probabilities[0]
    assert not np.allclose(
        raw,
        bundle.assessor.calibrated(
            bundle.fitted.predict(bundle.assessor.references.keys[:50])
        ).probabilities[0],
    )


def test_a_model_that_weighs_classes_decides_itself(resources):
    dataset_id, _ = ingested(resources, DATA / "telco_churn.csv", name="telco")
    algorithm = {"name": "logistic_regression", "params": {"class_weight": "balanced"}}
    _, metrics, table = train(resources, dataset_id, targets=("Churn",), algorithm=algorithm)
    test = table[table["part"] == "test"]
    said_yes = (test["Churn_predicted"] == 1).mean()
    assert said_yes > 1.3 * (test["Churn"] == 1).mean(), "recall is what was asked for"
    assert metrics["uncertainty"]["Churn"]["ece"] <= 0.07


def test_too_few_rows_to_calibrate_are_said(resources):
    lines = [f"{row['smiles']},{row[ESOL_TARGET]}" for row in rows_of("esol.csv")[:15]]
    dataset_id, _ = ingested(
        resources, "smiles,y\n" + "\n".join(lines) + "\n", roles={"y": "target"}
    )
    context = SilentContext(project_id=PROJECT)
    params = TrainParams(dataset="x", dataset_id=dataset_id, features=MACCS, **FAST)
    result = training.run(resources, context, params).result
    bundle = ModelBundle.load(resources.storage, f"models/{result['model_id']}/manifest.json")
    rows, before = len(bundle.assessor.references.numbers), bundle.memory_bytes
    found = bundle.predict(["CCO"])
    assert bundle.memory_bytes == before + rows * 2048, "the table of neighbours that it has made"
    item = answer_items(bundle, [{"smiles": "CCO"}], found)[0]
    assert item["targets"]["y"]["interval"] is None
    assert item["targets"]["y"]["confidence"] is None
    assert item["domain"]["nearest"]


@pytest.mark.req("goal-51")
def test_the_same_request_gives_the_same_bytes(resources):
    """Every file of a model but the manifest, whose hashes are compared."""
    dataset_id, _ = ingested(resources, DATA / "freesolv.csv", name="freesolv")
    files = []
    for _ in range(2):
        bundle, _, _ = train(resources, dataset_id, targets=("expt",), features=MACCS, bootstrap=50)
        files.append(bundle.manifest.files)
    assert files[0] == files[1]
    assert {"assessment/references.parquet", "predictions.parquet", "metrics.json"} <= set(files[0])
