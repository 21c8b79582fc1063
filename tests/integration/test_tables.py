"""Tables without molecules: ingest, train, tune, predict, on the services themselves."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from app.core.errors import InvalidInput, UnknownName
from app.core.work import SilentContext
from app.db.datasets import DatasetRow
from app.db.jobs import JobRow
from app.models.bundle import ModelBundle
from app.prediction import interactive
from app.prediction import service as prediction
from app.prediction.params import PredictParams
from app.training import service as training
from app.training.material import prepare
from app.training.params import TrainParams
from app.tuning import service as tuning
from app.tuning.params import OptimizeParams
from tests.support.datasets import PROJECT, ingested, job_context, stored_file
from tests.support.inprocess import run_fan_out
from tests.support.molecules import DATA

TELCO = DATA / "telco_churn.csv"


@pytest.fixture
def telco_id(resources):
    return ingested(resources, TELCO, name="telco")[0]


def train(resources, dataset_id, **options):
    """The bundle and the result of a committed training."""
    options = {"bootstrap": 0, "algorithm": {"name": "logistic_regression"}, **options}
    params = TrainParams(dataset="telco", dataset_id=dataset_id, **options)
    outcome = training.run(resources, job_context(resources, "train"), params)
    with resources.database.session() as session:
        result = outcome.result | outcome.commit(session)
    manifest_key = f"models/{result['model_id']}/manifest.json"
    return ModelBundle.load(resources.storage, manifest_key), result


@pytest.mark.req("S4-19", "S4-12")
def test_churn_is_learned_as_scikit_learn_learns_it(resources, telco_id):
    """The same test rows, one-hot and scaled, logistic regression called directly; the manifest of
    the shared data says accuracy about 0.80, AUROC about 0.84."""
    bundle, result = train(resources, telco_id)
    found = result["metrics"]["test"]["Churn"]
    path = resources.storage.local_path(f"models/{result['model_id']}/predictions.parquet")
    stored = pq.read_table(path).to_pandas()
    frame = pd.read_csv(TELCO, index_col="customerID")
    frame["TotalCharges"] = pd.to_numeric(frame["TotalCharges"], errors="coerce").fillna(0)
    target = frame.pop("Churn")
    tested = stored[stored["part"] == "test"]["row"].to_numpy() - 1
    trained = np.setdiff1d(np.arange(len(frame)), tested)
    numbers = ["tenure", "MonthlyCharges", "TotalCharges"]
    words = [name for name in frame.columns if name not in numbers]
    pipeline = make_pipeline(
        make_column_transformer(
            (StandardScaler(), numbers), (OneHotEncoder(drop="if_binary"), words)
        ),
        LogisticRegression(max_iter=1000),
    ).fit(frame.iloc[trained], target.iloc[trained])
    probabilities = pipeline.predict_proba(frame.iloc[tested])[:, 1]
    auroc = roc_auc_score(target.iloc[tested] == "Yes", probabilities)
    accuracy = accuracy_score(target.iloc[tested], pipeline.predict(frame.iloc[tested]))
    assert found["roc_auc"]["value"] == pytest.approx(auroc, abs=0.01)
    assert found["accuracy"]["value"] == pytest.approx(accuracy, abs=0.015)
    assert auroc > 0.82
    assert {c["name"] for c in bundle.manifest.columns} == set(frame.columns)


def test_the_identifier_and_the_target_are_not_learned_from(resources, telco_id):
    bundle, _ = train(resources, telco_id)
    sources = set(bundle.features.sources)
    assert not sources & {"customerID", "Churn"}
    assert len(sources) == 19


def test_any_column_of_a_table_can_be_the_target(resources, telco_id):
    bundle, result = train(
        resources, telco_id, targets=("MonthlyCharges",), algorithm={"name": "ridge"}
    )
    assert result["task"] == "regression"
    assert "MonthlyCharges" not in bundle.features.sources
    assert "Churn" not in bundle.features.sources, "another target is no feature"
    assert result["metrics"]["test"]["MonthlyCharges"]["r2"]["value"] > 0.9


def test_a_saved_model_learned_from_its_training_rows_alone(resources):
    """The median that it fills in is that of the training rows of its split."""
    lines = "".join(f"{n % 7},{'' if n % 5 == 0 else n},{n * 2}\n" for n in range(300))
    dataset_id, _ = ingested(resources, "a,x,y\n" + lines, roles={"y": "target"})
    bundle, result = train(resources, dataset_id, algorithm={"name": "ridge"})
    stored = pq.read_table(
        resources.storage.local_path(f"models/{result['model_id']}/predictions.parquet")
    )
    held_out = {row["row"] - 1 for row in stored.to_pylist() if row["part"] == "test"}
    training_values = [n for n in range(300) if n % 5 and n not in held_out]
    state = {entry["name"]: entry for entry in bundle.manifest.column_state[0]}
    assert state["x"]["fill"] == np.median(training_values)


def test_every_row_of_a_file_is_predicted_or_explained(resources, telco_id):
    _, result = train(resources, telco_id)
    frame = pd.read_csv(TELCO, dtype=str, keep_default_na=False).drop(columns="Churn").head(6)
    frame.loc[1, "tenure"] = "long"
    frame.loc[2, "Contract"] = "Weekly"
    frame.loc[3, "MonthlyCharges"] = ""
    file_id = stored_file(resources, frame.to_csv(index=False))
    params = PredictParams(model="telco", file_id=file_id, model_id=result["model_id"])
    context = SilentContext(project_id=PROJECT)
    outcome = run_fan_out(prediction, resources, context, params)
    assert outcome.counts == {"rows_total": 6, "rows_ok": 5, "rows_failed": 1}
    key = f"predictions/{context.job_id}/1/predictions.parquet"
    rows = pq.read_table(resources.storage.local_path(key)).to_pylist()
    assert [row["id"] for row in rows] == frame["customerID"].tolist()
    assert rows[1]["reason"] == "tenure is not a number: 'long'"
    assert rows[2]["notes"] == "Contract: no training row has 'Weekly'"
    assert "MonthlyCharges is missing" in rows[3]["notes"]
    assert rows[0]["Churn"] in ("Yes", "No")
    given = frame.drop(columns="customerID").to_dict("records")
    answer = interactive.answer(
        resources,
        {"model_id": result["model_id"], "inputs": [{"features": g} for g in given]},
    )
    for row, item in zip(rows, answer["predictions"], strict=True):
        assert (item["status"], item["reason"]) == (row["status"], row["reason"])
        if row["status"] == "ok":
            shown = item["targets"]["Churn"]["probabilities"]["Yes"]
            assert shown == pytest.approx(row["Churn_probability_Yes"])


def test_target_means_beside_scaled_numbers(resources, telco_id):
    """As good as one column for each word; the leak audit finds nothing learned outside."""
    options = {"words": "target", "impute": "mean", "scale": "standard"}
    bundle, result = train(resources, telco_id, features=({"name": "columns", "params": options},))
    assert "Contract: share Churn = Yes" in bundle.features.columns
    assert result["metrics"]["test"]["Churn"]["roc_auc"]["value"] > 0.82
    leaks = result["metrics"]["leaks"]
    assert "fitted_outside" in leaks["checked"]
    assert "fitted_outside" not in [finding["code"] for finding in leaks["findings"]]
    row = {column["name"]: None for column in bundle.manifest.columns}
    payload = {"model_id": result["model_id"], "inputs": [{"features": row}]}
    (found,) = interactive.answer(resources, payload)["predictions"]
    assert found["status"] == "ok"
    assert "Contract is missing, as in no training row" in found["notes"]
    assert any(note.startswith("tenure is missing: the training mean") for note in found["notes"])


def test_a_fit_never_sees_target_means_with_a_rows_own_target(resources):
    """100 words of three rows each and a target without sense: what is learned from has no relation
    to it, in the final fit and in every fold.
    """
    rng = np.random.default_rng(3)
    lines = "".join(f"w{n % 100},{rng.normal():.4f}\n" for n in range(300))
    options = {"name": "columns", "params": {"words": "target"}}
    dataset_id, _ = ingested(resources, "word,y\n" + lines, roles={"word": "feature"}, name="words")
    params = TrainParams(dataset="words", dataset_id=dataset_id, features=(options,))
    material = prepare(resources, job_context(resources, "train"), params)
    for rows in (material.split.split.train, material.learned):
        features = material.fit_features(rows)
        learned, y = material.examples(features, rows).X[:, 0], material.labels.y[rows, 0]
        assert np.corrcoef(material.matrix(features, rows)[:, 0], y)[0, 1] > 0.6
        assert np.corrcoef(learned, y)[0, 1] < 0.25  # 0.7 with their own targets
    others = material.split.split.test
    np.testing.assert_array_equal(
        material.examples(features, others).X, material.matrix(features, others)
    )


@pytest.mark.req("F-08")
def test_a_row_must_name_every_column_and_no_other(resources, telco_id):
    bundle, result = train(resources, telco_id)
    row = {column["name"]: None for column in bundle.manifest.columns}
    short = {name: value for name, value in row.items() if name != "tenure"}

    def ask(*inputs):
        payload = {"model_id": result["model_id"], "inputs": [{"features": i} for i in inputs]}
        return interactive.answer(resources, payload)["predictions"]

    found = ask(short, {**row, "tenuer": 3}, row)
    assert "'tenure' is missing" in found[0]["reason"]
    assert "no column 'tenuer'; nearest: 'tenure'" in found[1]["reason"]
    assert found[2]["status"] == "ok"
    assert any("tenure is missing: the training median" in note for note in found[2]["notes"])
    with pytest.raises(InvalidInput, match="predicts from"):
        interactive.answer(
            resources, {"model_id": result["model_id"], "inputs": [{"smiles": "CCO"}]}
        )


def test_a_file_without_the_columns_is_refused_with_the_nearest_names(resources, telco_id):
    _, result = train(resources, telco_id)
    file_id = stored_file(resources, "customerID,tenuer\na,1\nb,2\n")
    params = PredictParams(model="telco", file_id=file_id, model_id=result["model_id"])
    with pytest.raises(InvalidInput, match="lacks 19") as refused:
        run_fan_out(prediction, resources, SilentContext(project_id=PROJECT), params)
    assert any("'tenuer'" in error["detail"] for error in refused.value.errors)


def test_tuning_learns_the_columns_anew_in_every_fold(resources, telco_id, monkeypatch):
    """No fold's encoding has seen the rows that the fold is scored on."""
    from app.features.fitted import FittedFeatures

    seen = []
    fit = FittedFeatures.fit.__func__

    def watched(cls, feature_set, columns, cells, targets):
        seen.append(len(cells["tenure"]))
        return fit(cls, feature_set, columns, cells, targets)

    monkeypatch.setattr(FittedFeatures, "fit", classmethod(watched))
    params = OptimizeParams(
        dataset="telco",
        dataset_id=telco_id,
        algorithm="logistic_regression",
        n_trials=1,
        folds=3,
        then="none",
    )
    outcome = run_fan_out(tuning, resources, SilentContext(project_id=PROJECT), params)
    assert outcome.result["best_value"] == pytest.approx(0.84, abs=0.02)
    rows = 7043 - 704
    assert seen == [rows - part for part in (2113, 2113, 2113)]


def test_what_does_not_fit_a_table_is_refused(resources, telco_id):
    with pytest.raises(InvalidInput, match="needs molecules"):
        train(resources, telco_id, features=({"name": "maccs"},))
    with pytest.raises(InvalidInput, match="no scaffolds"):
        train(resources, telco_id, split={"name": "scaffold"})
    with pytest.raises(UnknownName, match="no target column 'Chrun'") as refused:
        train(resources, telco_id, targets=("Chrun",))
    assert "first: Churn" in refused.value.problem()["remedy"]
    molecules, _ = ingested(resources, DATA / "freesolv.csv", name="freesolv")
    with pytest.raises(InvalidInput, match="no feature column"):
        train(resources, molecules, targets=("expt",), features=({"name": "columns"},))


def test_units_of_headers_reach_the_answers(resources):
    lines = "".join(f"{'C' * (n % 40 + 1)}O,{n % 40 * 0.5}\n" for n in range(80))
    dataset_id, _ = ingested(
        resources, "smiles,dG (kcal/mol)\n" + lines, duplicates="keep_all", name="energies"
    )
    bundle, result = train(
        resources,
        dataset_id,
        algorithm={"name": "ridge"},
        features=({"name": "maccs"},),
    )
    assert bundle.manifest.units == {"dG (kcal/mol)": "kcal/mol"}
    answer = interactive.answer(
        resources, {"model_id": result["model_id"], "inputs": [{"smiles": "CCO"}]}
    )
    assert answer["predictions"][0]["targets"]["dG (kcal/mol)"]["unit"] == "kcal/mol"


def test_a_table_model_is_evaluated_on_its_test_rows_and_on_other_tables(resources, telco_id):
    from app.evaluation import service as evaluation
    from app.evaluation.params import EvaluateParams

    _, result = train(resources, telco_id, algorithm={"name": "random_forest"})

    def evaluate(**options):
        context = SilentContext(project_id=PROJECT)
        params = EvaluateParams(model="telco", model_id=result["model_id"], bootstrap=0, **options)
        return evaluation.run(resources, context, params).result, context

    found, _ = evaluate()
    expected = result["metrics"]["test"]["Churn"]["roc_auc"]["value"]
    assert found["metrics"]["Churn"]["roc_auc"]["value"] == pytest.approx(expected)
    assert found["rows"]["seen_in_training"] == 0
    importance = dict(found["feature_importance"]["targets"]["Churn"])
    assert set(importance) <= set(pd.read_csv(TELCO, nrows=1).columns)
    assert importance["tenure"] > 0.1
    other_id, _ = ingested(resources, "\n".join(TELCO.read_text().splitlines()[:500]), name="half")
    again, context = evaluate(dataset="half", dataset_id=other_id)
    assert again["rows"]["evaluated"] == 499
    assert again["rows"]["seen_in_training"] > 400
    assert context.warnings[0][0] == "training_rows_evaluated"
    foreign, _ = ingested(resources, "tenure,Churn\n1,Yes\n2,No\n3,Yes\n", name="foreign")
    with pytest.raises(InvalidInput, match="lacks columns"):
        evaluate(dataset="foreign", dataset_id=foreign)


def test_a_data_set_is_predicted_as_it_was_ingested(resources):
    """The column, the separator's decimal commas and the sheet that were chosen then."""
    lines = "".join(f"{'C' * (n + 1)}O;{'C' * (n + 1)}N;{n},5\n" for n in range(40))
    job_id = job_context(resources, "ingest").job_id
    dataset_id, _ = ingested(
        resources,
        "alcohol_smiles;amine_smiles;y\n" + lines,
        name="pairs",
        roles={"amine_smiles": "smiles", "alcohol_smiles": "id"},
        decimal="comma",
    )
    with resources.database.session() as session:
        row = session.get_one(DatasetRow, dataset_id)
        params = {"file_id": str(row.file_id), "name": "pairs", "decimal": "comma"}
        session.get_one(JobRow, job_id).params = params
        row.job_id = job_id
    _, result = train(
        resources, dataset_id, algorithm={"name": "ridge"}, features=({"name": "maccs"},)
    )
    params = PredictParams(model="pairs", dataset="pairs", dataset_id=dataset_id)
    context = SilentContext(project_id=PROJECT)
    with_model = params.model_copy(update={"model_id": result["model_id"]})
    run_fan_out(prediction, resources, context, with_model)
    key = f"predictions/{context.job_id}/1/predictions.parquet"
    rows = pq.read_table(resources.storage.local_path(key)).to_pylist()
    assert rows[0]["input"] == "CN"
    assert rows[0]["id"] == "CO"
