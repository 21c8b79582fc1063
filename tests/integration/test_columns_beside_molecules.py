"""Feature columns of a molecule data set: learned beside fingerprints, asked for at prediction."""

import pyarrow.parquet as pq
import pytest

from app.core.errors import InvalidInput
from app.core.work import SilentContext
from app.evaluation import service as evaluation
from app.evaluation.params import EvaluateParams
from app.models.bundle import ModelBundle
from app.prediction import interactive
from app.prediction import service as prediction
from app.prediction.params import PredictionInput, PredictParams
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import PROJECT, ingested, job_context, stored_file
from tests.support.inprocess import run_fan_out

FEATURES = ({"name": "physchem"}, {"name": "columns"})
ROLES = {"temperature": "feature", "solvent": "feature", "y": "target"}


def rows(n=90):
    """Alkanols at three temperatures and in two solvents: y is linear in size and temperature, and
    0.5 higher in water.
    """
    for number in range(n):
        carbons, kelvin = number % 15 + 1, (280, 300, 320)[number % 3 if number < 45 else 2]
        solvent = ("water", "hexane")[number // 45]
        y = -0.5 * carbons + 0.02 * kelvin + (0.5 if solvent == "water" else 0.0)
        yield f"{'C' * carbons}O,{kelvin},{solvent},{y}"


@pytest.fixture
def trained(resources):
    content = "smiles,temperature,solvent,y\n" + "\n".join(rows()) + "\n"
    dataset_id, ingest = ingested(resources, content, name="alkanols", roles=ROLES)
    return dataset_id, ingest, train(resources, dataset_id, FEATURES)


def train(resources, dataset_id, features):
    params = TrainParams(
        dataset="alkanols",
        dataset_id=dataset_id,
        bootstrap=0,
        features=features,
        algorithm={"name": "ridge", "params": {"alpha": 1e-6}},
    )
    outcome = training.run(resources, job_context(resources, "train"), params)
    with resources.database.session() as session:
        return outcome.result | outcome.commit(session)


def ask(resources, trained, *inputs):
    payload = {"model_id": trained[2]["model_id"], "inputs": list(inputs)}
    return interactive.answer(resources, payload)["predictions"]


def given(smiles="CCCCO", **features):
    return {"smiles": smiles, "features": {"temperature": 300, "solvent": "water", **features}}


def test_one_structure_under_two_conditions_is_two_samples(resources, trained):
    """15 alkanols, each at one temperature in water and at one in hexane, three times over."""
    assert trained[1]["rows_ok"] == len({row.rsplit(",", 1)[0] for row in rows()}) == 30
    assert trained[1]["rows_merged"] == 60
    assert trained[2]["metrics"]["test"]["y"]["rmse"]["value"] < 0.05


def test_columns_are_learned_beside_the_molecule(resources, trained):
    """Ten kelvin are worth 0.2 and the solvent 0.5, whatever the molecule."""
    base, warm, dry = ask(
        resources, trained, given(), given(temperature=310), given(solvent="hexane")
    )

    def value(item):
        assert item["status"] == "ok"
        return item["targets"]["y"]["value"]

    assert value(warm) - value(base) == pytest.approx(0.2, abs=0.02)
    assert value(dry) - value(base) == pytest.approx(-0.5, abs=0.05)
    assert base["canonical_smiles"] == "CCCCO"


@pytest.mark.req("F-08")
def test_a_column_that_is_not_given_is_refused_never_zero(resources, trained):
    part = {"smiles": "CCO", "features": {"solvent": "water"}}
    other = given(temprature=300)
    missing, unknown, empty, bad = ask(
        resources, trained, part, other, given(temperature=None), given("C(C)(C)(C)(C)C")
    )
    assert "'temperature' is missing" in missing["reason"]
    assert "no column 'temprature'; nearest: 'temperature'" in unknown["reason"]
    assert any("temperature is missing: the training median" in note for note in empty["notes"])
    assert bad["status"] == "error"
    assert bad["targets"] == {}
    for inputs in ({"smiles": "CCO"}, {"features": part["features"]}):
        with pytest.raises(InvalidInput, match="predicts from") as refused:
            ask(resources, trained, given(), inputs)
        assert refused.value.problem()["code"] == "wrong_input"
        assert refused.value.errors[0]["pointer"].startswith("/inputs/1/")
    bundle = ModelBundle.load(resources.storage, f"models/{trained[2]['model_id']}/manifest.json")
    with pytest.raises(InvalidInput, match="temperature"):
        bundle.predict(["CCO"])


@pytest.mark.req("F-08")
def test_a_file_needs_the_columns_and_gets_what_json_gets(resources, trained):
    lines = ["smiles,solvent,temperature,id", "CCCCO,water,300,a", "CCO,hexane,,b", "C((,water,1,c"]
    lines.append("CCO,water,warm,d")
    params = PredictParams(
        model="alkanols",
        file_id=stored_file(resources, "\n".join(lines)),
        model_id=trained[2]["model_id"],
    )
    context = SilentContext(project_id=PROJECT)
    outcome = run_fan_out(prediction, resources, context, params)
    assert outcome.counts == {"rows_total": 4, "rows_ok": 2, "rows_failed": 2}
    key = f"predictions/{context.job_id}/1/predictions.parquet"
    found = pq.read_table(resources.storage.local_path(key)).to_pylist()
    (same,) = ask(resources, trained, given())
    assert found[0]["y"] == pytest.approx(same["targets"]["y"]["value"])
    assert found[0]["canonical_smiles"] == "CCCCO"
    assert "temperature is missing" in found[1]["notes"]
    assert found[3]["reason"] == "temperature is not a number: 'warm'"
    short = stored_file(resources, "smiles,solvent\nCCO,water\n")
    params = params.model_copy(update={"file_id": short})
    with pytest.raises(InvalidInput, match="lacks 1 of the model's columns: 'temperature'"):
        run_fan_out(prediction, resources, SilentContext(project_id=PROJECT), params)


def test_features_for_a_model_of_molecules_alone_are_refused(resources, trained):
    plain = train(resources, trained[0], FEATURES[:1])
    with pytest.raises(InvalidInput, match=r'predicts from \{"smiles": "..."\}'):
        ask(resources, (None, None, plain), given())


def test_a_manifest_names_the_featurizers_of_a_recipe(resources, trained):
    result = train(resources, trained[0], ({"name": "maplight"}, {"name": "columns"}))
    bundle = ModelBundle.load(resources.storage, f"models/{result['model_id']}/manifest.json")
    assert [spec.name for spec in bundle.manifest.features] == [
        "morgan_counts", "avalon_counts", "erg", "rdkit_descriptors", "columns",
    ]  # fmt: skip
    (found,) = ask(resources, (None, None, result), given())
    assert found["status"] == "ok"


def test_it_is_evaluated_with_its_columns(resources, trained):
    params = EvaluateParams(
        model="alkanols", model_id=trained[2]["model_id"], bootstrap=0, part="test"
    )
    context = SilentContext(project_id=PROJECT)
    found = evaluation.run(resources, context, params).result
    expected = trained[2]["metrics"]["test"]["y"]["rmse"]["value"]
    assert found["metrics"]["y"]["rmse"]["value"] == pytest.approx(expected, rel=1e-6)
    assert "temperature" in dict(found["feature_importance"]["targets"]["y"])


def test_what_is_sent_says_something():
    with pytest.raises(ValueError, match="smiles, features or both"):
        PredictionInput(id="x")
    assert PredictionInput(**given()).features["temperature"] == 300
