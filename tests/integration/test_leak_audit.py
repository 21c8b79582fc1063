"""The leak audit of a training, from the file to the stored metrics: planted leaks in ESOL and in
the Telco table."""

import csv
import io
from dataclasses import replace

import numpy as np
import orjson
import pytest

from app.comparison import folds as fold_store
from app.comparison import service as comparison
from app.comparison.params import CompareParams
from app.core.errors import LeakFound
from app.core.work import SilentContext
from app.datasets.records import load_dataset
from app.storage import keys
from app.training import service as training
from app.training.leaks.audit import audit
from app.training.material import prepare
from app.training.params import SplitSpec, TrainParams
from app.tuning import service as tuning
from app.tuning.params import OptimizeParams
from tests.support.datasets import PROJECT, ingested, job_context
from tests.support.inprocess import run_fan_out
from tests.support.molecules import ESOL_TARGET, rows_of

pytestmark = pytest.mark.req("goal-27")

QUICK = {"algorithm": {"name": "ridge"}, "features": ({"name": "maccs"},), "bootstrap": 0}
TABLE = {"algorithm": {"name": "logistic_regression"}, "bootstrap": 0}


def written(rows):
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def esol(n=200):
    keep = ("Compound ID", "smiles", ESOL_TARGET)
    return [{name: row[name] for name in keep} for row in rows_of("esol.csv")[:n]]


def telco(n=600, **more):
    return [
        row | {name: make(row) for name, make in more.items()}
        for row in rows_of("telco_churn.csv")[:n]
    ]


def data_set(resources, rows, **options):
    return ingested(resources, written(rows), name="d", **options)[0]


def train(resources, dataset_id, **options):
    context = SilentContext(project_id=PROJECT)
    params = TrainParams(dataset="d", dataset_id=dataset_id, **options)
    outcome = training.run(resources, context, params)
    key = f"models/{outcome.result['model_id']}/metrics.json"
    stored = orjson.loads(resources.storage.read(key))
    assert stored["leaks"] == outcome.result["metrics"]["leaks"]
    return stored, context.warnings


def found(metrics):
    return {finding["code"]: finding for finding in metrics["leaks"]["findings"]}


def errors(metrics):
    return [f["code"] for f in metrics["leaks"]["findings"] if f["severity"] == "error"]


def test_clean_molecules_have_no_error_and_a_similarity(resources):
    metrics, warnings = train(resources, data_set(resources, esol()), **QUICK)
    assert errors(metrics) == []
    assert {"same_structure", "conflicting_replicates", "fitted_outside"} <= set(
        metrics["leaks"]["checked"]
    )
    assert 0 < metrics["similarity"]["p05"] <= metrics["similarity"]["median"] <= 1
    assert not warnings


def test_replicates_that_were_not_merged_are_found_and_can_be_refused(resources):
    rows = esol()
    # each of the first 60 molecules again, written in another way: with a counter ion
    again = [row | {"Compound ID": f"again {n}"} for n, row in enumerate(rows[:60])]
    again = [row | {"smiles": row["smiles"] + ".Cl"} for row in again]
    dataset_id = data_set(
        resources, [*rows, *again], roles={ESOL_TARGET: "target"}, duplicates="keep_all"
    )
    metrics, warnings = train(resources, dataset_id, **QUICK)
    leak = found(metrics)["same_structure"]
    assert leak["severity"] == "error"
    assert 0 < leak["count"] <= metrics["n"]["test"]
    assert found(metrics)["replicates_not_merged"]["count"] >= 60
    assert f"{leak['count']} test row" in dict(warnings)["leak_found"]
    assert metrics["similarity"]["easy"]
    assert "near copies" in dict(warnings)["easy_split"]
    with pytest.raises(LeakFound, match="same_structure") as refused:
        train(resources, dataset_id, **QUICK, leaks="refuse")
    problem = refused.value.problem()
    assert problem["code"] == "leak_found"
    assert str(leak["rows"][0]) in problem["detail"]
    assert "merge" in problem["remedy"]
    # merged, nothing is left of it
    merged = data_set(resources, [*rows, *again], roles={ESOL_TARGET: "target"})
    metrics, _ = train(resources, merged, **QUICK, leaks="refuse")
    assert "same_structure" not in found(metrics)


@pytest.mark.parametrize("rule", ["merge", "keep_all"])
def test_replicates_that_contradict_each_other_are_named(resources, rule):
    rows = esol()
    wrong = [
        row | {"Compound ID": f"wrong {n}", ESOL_TARGET: str(float(row[ESOL_TARGET]) + 5)}
        for n, row in enumerate(rows[10:14])
    ]
    dataset_id = data_set(resources, [*rows, *wrong], duplicates=rule)
    metrics, _ = train(resources, dataset_id, **QUICK)
    conflict = found(metrics)["conflicting_replicates"]
    # rows 11 to 14 of the file, and where they are apart their contradiction at its end
    assert set(range(11, 15)) <= set(conflict["rows"])
    assert conflict["count"] == (4 if rule == "merge" else 8)
    assert "4 compounds have" in conflict["detail"]


def test_a_column_made_of_the_target_is_found_and_refused(resources):
    rows = telco(**{"Exit survey": lambda row: "sent" if row["Churn"] == "Yes" else "none sent"})
    dataset_id = data_set(resources, rows, roles={"Churn": "target"})
    metrics, warnings = train(resources, dataset_id, **TABLE)
    assert errors(metrics) == ["target_column"]
    assert "'Exit survey'" in found(metrics)["target_column"]["detail"]
    assert "Exit survey" in dict(warnings)["leak_found"]
    with pytest.raises(LeakFound, match="Exit survey"):
        train(resources, dataset_id, **TABLE, leaks="refuse")
    params = OptimizeParams(
        dataset="d", dataset_id=dataset_id, algorithm="logistic_regression", leaks="refuse"
    )
    with pytest.raises(LeakFound, match="Exit survey"):
        tuning.plan(resources, SilentContext(project_id=PROJECT), params)


def test_a_clean_table_has_no_error(resources):
    metrics, _ = train(resources, data_set(resources, telco()), **TABLE)
    assert errors(metrics) == []
    assert "similarity" not in metrics
    assert {"target_column", "same_features", "fitted_outside"} <= set(metrics["leaks"]["checked"])


def test_a_group_on_both_sides_is_named_unless_the_split_keeps_it_apart(resources):
    rows = telco()
    for n, row in enumerate(rows):
        row["shop"] = f"shop {n % 20}"
    dataset_id = data_set(resources, rows, roles={"Churn": "target", "shop": "split"})
    metrics, _ = train(resources, dataset_id, **TABLE)
    assert found(metrics)["group_on_both_sides"]["count"] == metrics["n"]["test"]
    split = SplitSpec(name="group", params={"column": "shop"})
    metrics, _ = train(resources, dataset_id, **TABLE, split=split, leaks="refuse")
    assert "group_on_both_sides" not in found(metrics)


# ---- what was learned of features


@pytest.fixture
def material(resources):
    params = TrainParams(dataset="d", dataset_id=data_set(resources, telco()), **TABLE)
    return prepare(resources, SilentContext(project_id=PROJECT), params)


def test_features_cannot_be_learned_from_test_rows(material):
    split = material.split.split
    with pytest.raises(LeakFound, match="test rows"):
        material.fit_features(np.concatenate([split.train, split.test[:1]]))


def test_features_that_were_learned_elsewhere_are_found(material):
    split = material.split.split
    for rows in (split.train, material.learned):
        assert audit(material, material.fit_features(rows))["leaks"]["findings"] == []
    some = material.fit_features(split.train[:300])
    # neither the rows themselves, nor what they claim to be
    for features in (some, replace(some, rows_hash=material.fit_features(split.train).rows_hash)):
        (finding,) = audit(material, features)["leaks"]["findings"]
        assert finding["code"] == "fitted_outside"
        assert finding["severity"] == "error"


# ---- warnings


PAIRS = {
    "same_stereo_parent": ("C[C@H](O)CCCCCl", "C[C@@H](O)CCCCCl"),
    "same_tautomer_parent": ("Oc1ccccn1", "O=c1cccc[nH]1"),
}


def planted(resources, code):
    """Data without an error, and with the finding of this code; a split column says the sides."""
    rows = [row | {"set": "test" if n % 5 == 0 else "train"} for n, row in enumerate(esol(150))]
    twin = {"Compound ID": "twin", ESOL_TARGET: "-2.0"}
    if code in PAIRS:
        learned, tested = PAIRS[code]
        rows += [
            twin | {"smiles": learned, "set": "train"},
            twin | {"smiles": tested, "set": "test"},
        ]
        return data_set(resources, rows, roles={ESOL_TARGET: "target", "set": "split"})
    # replicates on one side: no test row is learned from
    first = rows[1]
    more = 5.0 if code == "conflicting_replicates" else 0.0
    rows.append(first | {"Compound ID": "twin", ESOL_TARGET: str(float(first[ESOL_TARGET]) + more)})
    roles = {ESOL_TARGET: "target", "set": "split"}
    return data_set(resources, rows, roles=roles, duplicates="keep_all")


@pytest.mark.parametrize("code", [*PAIRS, "replicates_not_merged", "conflicting_replicates"])
def test_warnings_are_refused_where_all_is(resources, code):
    dataset_id = planted(resources, code)
    asked = QUICK | {"split": {"name": "column", "params": {"column": "set"}}}
    metrics, _ = train(resources, dataset_id, **asked, leaks="refuse")
    assert found(metrics)[code]["severity"] == "warning"
    with pytest.raises(LeakFound, match=code):
        train(resources, dataset_id, **asked, leaks="refuse_all")
    params = OptimizeParams(
        **{name: asked[name] for name in ("features", "split")},
        dataset="d",
        dataset_id=dataset_id,
        algorithm="ridge",
        leaks="refuse_all",
        then="none",
    )
    with pytest.raises(LeakFound, match=code):
        tuning.plan(resources, SilentContext(project_id=PROJECT), params)


def test_a_comparison_refuses_warnings_where_all_is(resources):
    """Both twins are trained on or tested in other folds of some repeat."""
    dataset_id = planted(resources, "same_stereo_parent")
    features = QUICK["features"]
    done = Compared(resources, dataset_id, "ridge", features=features, leaks="refuse")
    assert found(done.result)["same_stereo_parent"]["severity"] == "warning"
    with pytest.raises(LeakFound, match="same_stereo_parent"):
        Compared(resources, dataset_id, "ridge", features=features, leaks="refuse_all")


# ---- comparisons and searches


class Compared:
    """Two candidates on three folds; one of them is small, so that it is quick."""

    def __init__(self, resources, dataset_id, *algorithms, leaks="report", **options):
        self.context = job_context(resources, "compare")
        params = CompareParams(
            dataset="d",
            dataset_id=dataset_id,
            candidates=tuple({"algorithm": {"name": name}} for name in algorithms),
            folds=3,
            repeats=2,
            leaks=leaks,
            **options,
        )
        self.result = run_fan_out(comparison, resources, self.context, params).result
        key = keys.comparison(self.context.job_id, 1, "comparison.{}")
        stored = {kind: resources.storage.read(key.format(kind)) for kind in ("json", "html")}
        self.json, self.page = orjson.loads(stored["json"]), stored["html"].decode()
        assert self.json["leaks"] == self.result["leaks"]


def test_a_comparison_names_a_column_made_of_the_target_and_can_be_refused(resources):
    rows = telco(**{"Exit survey": lambda row: "sent" if row["Churn"] == "Yes" else "none sent"})
    dataset_id = data_set(resources, rows, roles={"Churn": "target"})
    done = Compared(resources, dataset_id, "logistic_regression")
    assert errors(done.result) == ["target_column"]
    assert "Exit survey" in dict(done.context.warnings)["leak_found"]
    assert any("Exit survey" in sentence for sentence in done.json["caution"])
    assert "<b>leak</b> <code>target_column</code>" in done.page
    assert "fitted_outside" not in done.json["leaks"]["checked"], "folds learn apart by themselves"
    with pytest.raises(LeakFound, match="Exit survey"):
        Compared(resources, dataset_id, "logistic_regression", leaks="refuse")


def test_a_comparison_names_replicates_on_both_sides_and_easy_folds(resources):
    rows = esol(120)
    again = [row | {"smiles": row["smiles"] + ".Cl"} for row in rows[:60]]
    again = [
        row | {"Compound ID": f"again {n}", ESOL_TARGET: str(float(row[ESOL_TARGET]) + 5 * (n < 4))}
        for n, row in enumerate(again)
    ]
    dataset_id = data_set(
        resources, [*rows, *again], roles={ESOL_TARGET: "target"}, duplicates="keep_all"
    )
    features = ({"name": "maccs"},)
    done = Compared(resources, dataset_id, "ridge", features=features)
    smiles = load_dataset(resources, dataset_id).smiles
    folds = fold_store.stored(resources.storage, done.context.job_id, 1)
    apart = {
        row
        for fold in (fold for repeat in folds for fold in repeat)
        for row in fold.test.tolist()
        if smiles[row] in {smiles[other] for other in fold.train}
    }
    assert found(done.result)["same_structure"]["count"] == len(apart) > 60
    assert found(done.result)["replicates_not_merged"]["count"] >= 60
    assert found(done.result)["conflicting_replicates"]["count"] >= 8
    assert done.result["similarity"]["easy"]
    assert done.result["similarity"]["n"] == len(smiles), "each row of one repeat"
    assert "near copies" in dict(done.context.warnings)["easy_split"]
    assert any("near copies" in sentence for sentence in done.json["caution"])
    assert "<code>conflicting_replicates</code>" in done.page
    with pytest.raises(LeakFound, match="same_structure"):
        Compared(resources, dataset_id, "ridge", features=features, leaks="refuse")


def test_a_clean_comparison_has_no_error_and_says_what_was_looked_for(resources):
    done = Compared(resources, data_set(resources, esol(120)), "ridge", features=QUICK["features"])
    assert errors(done.result) == []
    assert {"same_structure", "conflicting_replicates"} <= set(done.result["leaks"]["checked"])
    assert not {"leak_found", "easy_split"} & set(dict(done.context.warnings))
    assert "<b>leak</b>" not in done.page


@pytest.mark.parametrize("then", ["none", "train"])
def test_a_search_looks_for_leaks_whatever_becomes_of_its_best(resources, then):
    rows = telco(300, **{"Exit survey": lambda row: "sent" if row["Churn"] == "Yes" else "none"})
    dataset_id = data_set(resources, rows, roles={"Churn": "target"})
    context = job_context(resources, "optimize")
    params = OptimizeParams(
        dataset="d",
        dataset_id=dataset_id,
        algorithm="logistic_regression",
        n_trials=1,
        folds=2,
        then=then,
        bootstrap=0,
    )
    result = run_fan_out(tuning, resources, context, params).result
    assert errors(result) == ["target_column"]
    told = [detail for code, detail in context.warnings if code == "leak_found"]
    assert len(told) == 1, "once, whoever says it"
    assert "Exit survey" in told[0]
