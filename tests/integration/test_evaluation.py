"""`evaluate` on real blobs and Postgres: the same numbers as scikit-learn on the same rows."""

import csv
import gzip

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as reference

from app.core.errors import InvalidInput
from app.core.work import SilentContext
from app.db.base import DEFAULT_PROJECT_ID
from app.db.datasets import SplitRow
from app.db.evaluations import EvaluationRow
from app.db.models import ModelVersionRow
from app.evaluation import service as evaluation
from app.evaluation.params import EvaluateParams
from app.ingestion import service as ingestion
from app.integrity.blobs import missing_blobs, unseen_blobs
from app.registry.evaluated_rows import read_rows
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import new_dataset, stored_file
from tests.support.inprocess import run_fan_out
from tests.support.molecules import DATA, ESOL_TARGET

PROJECT = DEFAULT_PROJECT_ID
FAST = {"features": ({"name": "maccs"},), "bootstrap": 0}


@pytest.fixture
def world(resources):
    return World(resources)


class World:
    def __init__(self, resources):
        self.resources = resources

    def ingest(self, path, name, **options):
        file_id = stored_file(self.resources, path)
        params = new_dataset(self.resources, file_id, name=name, **options)
        self._commit(run_fan_out(ingestion, self.resources, self.context(), params))
        return params.dataset_id

    def train(self, dataset_id, **options):
        params = TrainParams(dataset="x", dataset_id=dataset_id, **(FAST | options))
        return self._commit(training.run(self.resources, self.context(), params))["model_id"]

    def evaluate(self, model_id, context=None, **options):
        options = {"bootstrap": 50} | options
        params = EvaluateParams(model="m", model_id=model_id, **options)
        return self._commit(evaluation.run(self.resources, context or self.context(), params))

    def _commit(self, outcome):
        with self.resources.database.session() as session:
            if outcome.commit:
                outcome.commit(session)
        return outcome.result

    def row(self, cls, id_):
        with self.resources.database.session() as session:
            return session.get(cls, id_)

    @staticmethod
    def context():
        # no job row: the foreign key of job_id is left empty
        context = SilentContext(project_id=PROJECT)
        context.job_id = None
        return context


@pytest.fixture
def esol(world):
    return world.ingest(DATA / "esol.csv", "esol", roles={ESOL_TARGET: "target"})


def predicted_rows(resources, model_id, part):
    path = resources.storage.local_path(f"models/{model_id}/predictions.parquet")
    return [row for row in pq.read_table(path).to_pylist() if row["part"] == part]


def test_the_test_rows_of_its_own_split_give_what_training_said(world, resources, esol):
    model_id = world.train(esol, targets=(ESOL_TARGET,), algorithm={"name": "random_forest"})
    context = world.context()
    found = world.evaluate(model_id, context)
    rows = predicted_rows(resources, model_id, "test")
    true = [row[ESOL_TARGET] for row in rows]
    predicted = [row[f"{ESOL_TARGET}_predicted"] for row in rows]
    figures = found["metrics"][ESOL_TARGET]
    assert figures["mse"]["value"] == pytest.approx(reference.mean_squared_error(true, predicted))
    assert figures["r2"]["value"] == pytest.approx(reference.r2_score(true, predicted))
    assert figures["mae"]["ci_low"] < figures["mae"]["value"] < figures["mae"]["ci_high"]
    trained = world.row(ModelVersionRow, found["model_id"])
    for name, figure in trained.metrics["baseline"][ESOL_TARGET].items():
        assert found["baseline"][ESOL_TARGET][name]["value"] == pytest.approx(figure["value"])
    residuals = found["targets"][ESOL_TARGET]["residuals"]
    assert residuals["mean"] == pytest.approx(np.mean(true) - np.mean(predicted))
    assert found["rows"]["evaluated"] == len(rows) == found["rows"]["total"]
    assert found["rows"]["seen_in_training"] == 0
    assert context.warnings == []
    importance = found["feature_importance"]
    assert importance["method"] == "random_forest's own"
    shares = [share for _, share in importance["targets"][ESOL_TARGET]]
    assert shares == sorted(shares, reverse=True)
    assert 0.5 < sum(shares) <= 1 + 1e-6


@pytest.mark.req("F-13")
def test_it_is_recorded_and_each_use_of_the_test_rows_is_counted(world, esol):
    model_id = world.train(esol, targets=(ESOL_TARGET,), algorithm={"name": "ridge"})
    split_id = world.row(ModelVersionRow, model_id).split_id
    assert world.row(SplitRow, split_id).test_uses == 1
    found = world.evaluate(model_id)
    world.evaluate(model_id, part="all")
    assert world.row(SplitRow, split_id).test_uses == 2
    row = world.row(EvaluationRow, found["evaluation_id"])
    assert row.metrics == found["metrics"]
    assert row.details["rows"] == found["rows"]
    assert (row.part, row.model_id, row.dataset_id) == ("test", found_id(model_id), esol)


def found_id(text):
    from uuid import UUID

    return UUID(text)


def test_training_rows_are_evaluated_only_with_a_warning(world, esol):
    model_id = world.train(esol, targets=(ESOL_TARGET,), algorithm={"name": "random_forest"})
    context = world.context()
    found = world.evaluate(model_id, context, part="all")
    sizes = world.row(SplitRow, world.row(ModelVersionRow, model_id).split_id).sizes
    seen = sizes["train"] + sizes["validation"]
    assert found["rows"]["seen_in_training"] == seen
    ((code, detail),) = context.warnings
    assert code == "training_rows_evaluated"
    assert str(seen) in detail
    assert "flatter" in detail


def test_another_data_set_needs_the_column_and_accounts_for_every_row(world, tmp_path, esol):
    model_id = world.train(esol, targets=(ESOL_TARGET,), algorithm={"name": "ridge"})
    path = tmp_path / "mine.csv"
    with path.open("w") as stream:
        out = csv.writer(stream)
        out.writerow(["smiles", ESOL_TARGET])
        # acetone is in ESOL; two rows carry no label
        out.writerows([["CCCCCCCCCC(C)CCN", -4.0], ["OCC1CCC(Cl)CC1F", -2.5], ["CC(C)=O", 1.1]])
        out.writerows([["c1ccccc1CCCCCl", ""], ["CCOCCCOCCCN", ""]])
    mine = world.ingest(path, "mine", roles={ESOL_TARGET: "target"})
    found = world.evaluate(model_id, dataset="mine", dataset_id=mine)
    assert found["part"] == "all"
    assert found["rows"]["total"] == 5
    assert found["rows"]["evaluated"] == 3
    assert found["rows"]["reasons"] == {"it has no label": 2}
    assert [r["row"] for r in found["rows"]["first_refused"]] == [4, 5]
    with pytest.raises(InvalidInput, match="not the data set"):
        world.evaluate(model_id, dataset="mine", dataset_id=mine, part="test")


def test_a_data_set_without_the_target_is_refused_by_name(world, tmp_path, esol):
    model_id = world.train(esol, targets=(ESOL_TARGET,), algorithm={"name": "ridge"})
    path = tmp_path / "other.csv"
    path.write_text("smiles,logS\nCCO,1.1\nCCCl,2.5\nCCCC,0.3\n")
    other = world.ingest(path, "other", roles={"logS": "target"})
    with pytest.raises(InvalidInput, match="measured log solubility") as refused:
        world.evaluate(model_id, dataset="other", dataset_id=other)
    assert refused.value.problem()["code"] == "missing_target"
    assert "'logS'" in refused.value.problem()["remedy"]


def measured(world, folder, name, unit, factor=1.0, shift=0.0):
    """Forty alkanes with a group; `y` counts carbon atoms, in another unit by a factor."""
    lines = [
        f"{'C' * (n % 10 + 1)}{group},{(n % 10) * factor + shift:.6f}"
        for n, group in enumerate(10 * ["F"] + 10 * ["Cl"] + 10 * ["Br"] + 10 * ["O"])
    ]
    path = folder / f"{name}.csv"
    path.write_text("\n".join(["smiles,y", *lines]))
    units = {} if unit is None else {"y": unit}
    return world.ingest(path, name, roles={"y": "target"}, units=units)


@pytest.mark.req("F-07")
@pytest.mark.parametrize(
    ("unit", "other", "factor", "shift"),
    [("mmol/L", "umol/L", 1e3, 0.0), ("K", "°C", 1.0, -273.15), ("kJ/mol", None, 1.0, 0.0)],
)
def test_labels_are_turned_into_the_unit_of_the_model(world, tmp_path, unit, other, factor, shift):
    own = measured(world, tmp_path, "own", unit)
    model_id = world.train(own, algorithm={"name": "ridge"})
    there = measured(world, tmp_path, "there", other, factor, shift)
    found = world.evaluate(model_id, dataset="there", dataset_id=there, part="all")
    same = world.evaluate(model_id, part="all")
    for name in ("rmse", "mae", "mse", "r2"):
        figures = [one["metrics"]["y"][name]["value"] for one in (found, same)]
        assert figures[0] == pytest.approx(figures[1], rel=1e-6)


@pytest.mark.req("F-07")
def test_a_unit_that_cannot_be_turned_is_refused_with_both_named(world, tmp_path):
    own = measured(world, tmp_path, "own", "log mol/L")
    model_id = world.train(own, algorithm={"name": "ridge"})
    there = measured(world, tmp_path, "there", "mg/L")
    with pytest.raises(InvalidInput) as refused:
        world.evaluate(model_id, dataset="there", dataset_id=there)
    problem = refused.value.problem()
    assert problem["code"] == "units_do_not_match"
    for said in ("'y' of there:1", "mg/L", "log mol/L"):
        assert said in problem["detail"]
    assert "into log mol/L and ingest them again" in problem["remedy"]


def test_classes_that_the_model_does_not_know_are_refused_rows(world, tmp_path, esol):
    path = tmp_path / "words.csv"
    rows = [f"{'C' * (n % 9 + 1)}{'O' if n % 2 else 'N'}" for n in range(60)]
    with path.open("w") as stream:
        stream.write("smiles,kind\n")
        stream.writelines(f"{s},{'alcohol' if s[-1] == 'O' else 'amine'}\n" for s in rows)
    own = world.ingest(path, "words", roles={"kind": "target"}, duplicates="keep_all")
    model_id = world.train(own, algorithm={"name": "random_forest"})
    foreign = tmp_path / "foreign.csv"
    foreign.write_text("smiles,kind\nCCCCCCO,alcohol\nCCCCCCS,thiol\nCCCCCCN,amine\n")
    other = world.ingest(foreign, "foreign", roles={"kind": "target"})
    found = world.evaluate(model_id, dataset="foreign", dataset_id=other)
    assert found["rows"]["evaluated"] == 2
    assert found["rows"]["first_refused"] == [
        {"row": 2, "reason": "the model knows no class 'thiol' of 'kind'"}
    ]
    assert found["targets"]["kind"]["confusion_matrix"]["labels"] == ["alcohol", "amine"]


@pytest.mark.slow
def test_twelve_assays_with_missing_labels(world, resources, tmp_path):
    """tox21: each target on its own labelled rows; permutation where the estimator has none."""
    with gzip.open(DATA / "tox21.csv.gz", "rt") as stream:
        rows = list(csv.DictReader(stream))[:700]
    targets = [name for name in rows[0] if name not in ("smiles", "mol_id")]
    path = tmp_path / "tox.csv"
    with path.open("w") as stream:
        out = csv.DictWriter(stream, rows[0])
        out.writeheader()
        out.writerows(rows)
    tox = world.ingest(path, "tox", roles=dict.fromkeys(targets, "target"))
    model_id = world.train(
        tox, algorithm={"name": "hist_gradient_boosting", "params": {"max_iter": 20}}
    )
    found = world.evaluate(model_id, bootstrap=0)
    kept = predicted_rows(resources, model_id, "test")
    for target in targets:
        known = [row for row in kept if row[target] is not None]
        true = [row[target] for row in known]
        predicted = [row[f"{target}_predicted"] for row in known]
        report = found["targets"][target]["classification_report"]
        assert report["weighted avg"]["f1-score"] == pytest.approx(
            reference.f1_score(true, predicted, average="weighted", zero_division=0)
        )
        assert report["weighted avg"]["support"] == len(known)
    importance = found["feature_importance"]
    assert importance["method"] == "permutation"
    assert importance["unit"] == "loss of roc_auc"
    assert importance["note"].startswith("30 of 166 features tried")
    assert all(len(ranked) == 30 for ranked in importance["targets"].values())


def test_of_several_featurizers_each_is_a_block(world, esol):
    """As in training, and by the same rule: what all columns of one are worth together."""
    model_id = world.train(
        esol,
        targets=(ESOL_TARGET,),
        algorithm={"name": "svm"},
        features=({"name": "maccs"}, {"name": "rdkit_descriptors"}),
    )
    importance = world.evaluate(model_id, bootstrap=0)["feature_importance"]
    assert importance["note"].startswith("2 blocks tried")
    ranked = importance["targets"][ESOL_TARGET]
    measured = world.row(ModelVersionRow, model_id).metrics["importance"]["targets"][ESOL_TARGET]
    assert [name for name, _ in ranked] == [entry["name"] for entry in measured["losses"]]
    assert [loss for _, loss in ranked] == pytest.approx(
        [entry["loss"] for entry in measured["losses"]], rel=0.3
    )


def test_permutation_finds_the_column_that_matters(world, esol):
    """The label is one feature: shuffling that column costs everything, others next to nothing."""
    from app.evaluation.importance import feature_importance

    X = np.random.default_rng(0).normal(size=(400, 60))

    class Bundle:
        fitted = object()

        class features:  # noqa: N801
            sources = (*(f"f{n}" for n in range(59)), "f7")  # two columns of one feature

            class feature_set:  # noqa: N801
                width = 0  # of a table

        class manifest:  # noqa: N801
            algorithm = "svm"

            class learning_task:  # noqa: N801
                type, targets, is_classification = "regression", ("y",), False

        @staticmethod
        def predict_matrix(X):
            from app.algorithms.base import Predictions

            return Predictions(values=X[:, [7]].astype(float))

    found = feature_importance(Bundle, X, X[:, [7]].copy(), world.context(), seed=1)
    (first, loss), *rest = found["targets"]["y"]
    assert first == "f7"
    assert loss == pytest.approx(np.sqrt(2), rel=0.2), "rmse of a column against its shuffle"
    assert all(value == 0 for _, value in rest)


# ---- over HTTP


def test_they_are_listed_newest_first_page_by_page(world, api, esol):
    model_id = world.train(esol, targets=(ESOL_TARGET,), algorithm={"name": "ridge"})
    ids = [world.evaluate(model_id, bootstrap=0)["evaluation_id"] for _ in range(3)]
    first = api.get("models/esol/evaluations", params={"limit": 2}).json()
    rest = api.get(
        "models/esol/evaluations", params={"limit": 2, "cursor": first["next_cursor"]}
    ).json()
    assert [e["id"] for e in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    one = api.get(f"evaluations/{ids[0]}").json()
    assert one == rest["items"][0]
    assert one["rows"]["evaluated"] > 100
    assert api.get(f"evaluations/{model_id}").status_code == 404


def test_a_job_is_accepted_and_mistakes_are_named(world, api, esol):
    model_id = world.train(esol, targets=(ESOL_TARGET,), algorithm={"name": "ridge"})

    def post(**params):
        return api.post("jobs", json={"kind": "evaluate", "params": params})

    accepted = post(model="esol")
    assert accepted.status_code == 202
    assert accepted.json()["params"]["model_id"] == model_id
    assert accepted.json()["params"]["dataset_id"] == str(esol)
    wrong = post(model="esool").json()
    assert (wrong["code"], wrong["errors"][0]["pointer"]) == ("not_found", "/params/model")
    wrong = post(model="esol", targets=["logS"]).json()
    assert (wrong["code"], wrong["errors"][0]["pointer"]) == ("unknown_name", "/params/targets/0")
    other = world.ingest(DATA / "freesolv.csv", "freesolv", roles={"expt": "target"})
    assert other
    wrong = post(model="esol", dataset="freesolv", part="test").json()
    assert wrong["errors"][0]["pointer"] == "/params/part"


def test_rows_and_the_time_of_one_are_kept_for_gates(world, resources, esol):
    model_id = world.train(esol, targets=(ESOL_TARGET,), algorithm={"name": "ridge"})
    found = world.evaluate(model_id)
    stored = world.row(EvaluationRow, found["evaluation_id"])
    rows = read_rows(resources.storage, stored.rows_key, stored.rows_sha256)
    assert len(rows.rows) == found["rows"]["evaluated"]
    rmse = reference.root_mean_squared_error(rows.y[:, 0], rows.predicted[:, 0])
    assert rmse == pytest.approx(found["metrics"][ESOL_TARGET]["rmse"]["value"])
    told = {row["row"]: row for row in predicted_rows(resources, model_id, "test")}
    assert len(told) == len(rows.rows)
    latency = stored.details["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"]
    assert latency["rows"] == 20
    assert missing_blobs(resources.database, resources.storage) == []
    assert not [k for k in unseen_blobs(resources.database, resources.storage) if "eval" in k]
    resources.storage.delete(stored.rows_key)
    (lost,) = missing_blobs(resources.database, resources.storage)
    assert (lost.rule, lost.id) == ("evaluations", found["evaluation_id"])
