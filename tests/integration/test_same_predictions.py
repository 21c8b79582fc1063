"""The same predict request gives the same bytes, however its file was cut into chunks.

Chunks are as large as their cost was measured, which no two runs measure alike; and a chunk that
crashed is cut again.
"""

import io
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest

from app.chem.standardize import standardized_or_reason
from app.core.work import ChunkResult, ChunkSpec, SilentContext
from app.models.bundle import ModelBundle
from app.prediction import service as prediction
from app.prediction.params import PredictParams
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import PROJECT, ingested, job_context, stored_file
from tests.support.inprocess import run_fan_out
from tests.support.molecules import ESOL_TARGET, rows_of

ROWS = 560
#: whole, by blocks, inside blocks (one row alone, refused rows alone), always inside
CUTS = {
    "whole": [560],
    "blocks": [256, 256, 48],
    "pieces": [100, 1, 199, 3, 257],
    "small": [70] * 8,
}
#: the first and the last row of a block, a piece of the cuts, and others
UNREADABLE = (0, 1, 99, 255, 256, 300, 301, 302, 559)
COUNTS = ({"name": "morgan_counts"},)
MODELS = {
    "consensus": ({"name": "consensus"}, ({"name": "erg"}, *COUNTS)),
    "forest": ({"name": "random_forest", "params": {"n_estimators": 40}}, COUNTS),
    "ridge": ({"name": "ridge"}, ({"name": "physchem"}, *COUNTS)),
    "process": ({"name": "gaussian_process"}, COUNTS),
    "network": ({"name": "mlp", "params": {"max_epochs": 3}}, COUNTS),
}


def trained(resources, content, **options):
    dataset_id, _ = ingested(resources, content, name="d", roles={"y": "target"})
    params = TrainParams(
        dataset="d",
        dataset_id=dataset_id,
        targets=("y",),
        bootstrap=0,
        calibration_folds=2,
        **options,
    )
    outcome = training.run(resources, job_context(resources, "train"), params)
    with resources.database.session() as session:
        return (outcome.result | outcome.commit(session))["model_id"]


def model_of_molecules(resources, name):
    algorithm, features = MODELS[name]
    lines = [f"{row['smiles']},{row[ESOL_TARGET]}" for row in rows_of("esol.csv")[-150:]]
    content = "\n".join(["smiles,y", *lines])
    return trained(resources, content, algorithm=algorithm, features=features)


def structures():
    found = [row["smiles"] for row in rows_of("esol.csv")[:ROWS]]
    for n in UNREADABLE:
        found[n] = "not a molecule"
    return found


def file_of_molecules(resources):
    lines = [f"m{n},{text}" for n, text in enumerate(structures())]
    return stored_file(resources, "\n".join(["id,smiles", *lines]))


def artifacts(resources, context):
    """Name -> bytes."""
    folder = f"predictions/{context.job_id}/1/"
    blobs = list(resources.storage.list(folder))
    return {key.removeprefix(folder): resources.storage.read(key) for key in blobs}


@pytest.fixture
def predicted(resources, monkeypatch):
    """(outcome, artifacts) of a request whose file is cut into chunks of these sizes."""

    def made(cut, params):
        monkeypatch.setattr("app.prediction.service.chunk_sizes", lambda *_: CUTS[cut])
        context = SilentContext(project_id=PROJECT)
        outcome = run_fan_out(prediction, resources, context, params)
        assert outcome.result["chunks"] == len(CUTS[cut])
        assert outcome.counts["rows_total"] == ROWS
        return outcome, artifacts(resources, context)

    return made


def different(found, expected):
    assert found.keys() == expected.keys()
    return [name for name in expected if found[name] != expected[name]]


@pytest.mark.parametrize("name", MODELS)
def test_of_molecules_with_and_without_features_at_hand(resources, predicted, name):
    # drawing takes as long as all else
    formats = ("parquet", "csv", "sdf") if name == "ridge" else ("parquet", "csv")
    params = PredictParams(
        model="m",
        model_id=model_of_molecules(resources, name),
        file_id=file_of_molecules(resources),
        formats=formats,
    )
    cold, expected = predicted("whole", params)
    assert cold.counts["rows_failed"] == len(UNREADABLE)
    assert {f"predictions.{ending}" for ending in formats} < expected.keys()
    for cut in CUTS:
        warm, found = predicted(cut, params)
        assert warm.result["cached_features"]
        assert different(found, expected) == [], cut
    resources.storage.delete("prepared/")
    again, found = predicted("pieces", params)
    assert not again.result["cached_features"]
    assert different(found, expected) == []
    other, found = predicted("small", params.model_copy(update={"cache": False}))
    assert not other.result["cached_features"]
    assert different(found, expected) == ["manifest.json"], "it names the params"


def test_of_a_table(resources, predicted):
    """Its rows are compared by their features, and are of no featurized file."""
    rows = "".join(f"{n % 97 / 7},{n % 13 / 3},{n % 97 + n % 13 / 2}\n" for n in range(200))
    model = trained(resources, "a,b,y\n" + rows, algorithm={"name": "ridge"})
    lines = [f"{n / 31},{'x' if n in UNREADABLE else n % 17 / 9}" for n in range(ROWS)]
    file_id = stored_file(resources, "\n".join(["a,b", *lines]) + "\n")
    params = PredictParams(model="m", model_id=model, file_id=file_id)
    _, expected = predicted("whole", params)
    for cut in CUTS:
        assert different(predicted(cut, params)[1], expected) == [], cut


def test_a_chunk_that_was_divided_after_a_crash(resources, predicted):
    params = PredictParams(
        model="m",
        model_id=model_of_molecules(resources, "ridge"),
        file_id=file_of_molecules(resources),
        cache=False,
    )
    _, expected = predicted("whole", params)
    context = SilentContext(project_id=PROJECT)
    (whole,) = prediction.plan(resources, context, params).chunks
    edges = [ROWS * n // 8 for n in range(9)]
    results = []
    for number, (start, stop) in enumerate(pairwise(edges)):
        piece = ChunkSpec(source=whole.source, start_row=start, stop_row=stop)
        found = prediction.run_chunk(resources, context, params, piece)
        results.append(ChunkResult(chunk=number, spec=piece, state="succeeded", result=found))
    prediction.finalize(resources, context, params, results)
    assert different(artifacts(resources, context), expected) == []


def test_numbers_are_the_models_own_and_their_spread_is_told(resources, predicted):
    """A chunk of refused rows alone knows no less than others what a model tells."""
    model = model_of_molecules(resources, "forest")
    params = PredictParams(model="m", model_id=model, file_id=file_of_molecules(resources))
    table = pq.read_table(io.BytesIO(predicted("pieces", params)[1]["predictions.parquet"]))
    bundle = ModelBundle.load(resources.storage, f"models/{model}/manifest.json")
    expected = bundle.predict(structures())
    assert table.column("reason").null_count == ROWS - len(UNREADABLE)
    known = {
        "y": expected.predictions.values[:, 0],
        "y_std": expected.predictions.std[:, 0],
        "y_lower": expected.assessment.lower[:, 0],
        "y_confidence": expected.assessment.confidence[:, 0],
        "similarity": expected.assessment.nearest.closest,
    }
    for name, values in known.items():
        found = table.column(name).to_numpy()
        np.testing.assert_allclose(found[expected.rows], values, rtol=1e-6, err_msg=name)
        assert np.flatnonzero(np.isnan(found)).tolist() == list(UNREADABLE)


def test_a_row_stands_at_its_place_whatever_is_given_with_it(resources):
    bundle = ModelBundle.load(
        resources.storage, f"models/{model_of_molecules(resources, 'ridge')}/manifest.json"
    )

    given = [standardized_or_reason(text) for text in structures()]
    whole = bundle.predict_standardized(given, len(given), first_row=0)
    place = {row: at for at, row in enumerate(whole.rows)}
    for start, stop in [(2, 3), (250, 260), (257, 560)]:
        part = bundle.predict_standardized(given[start:stop], stop - start, first_row=start)
        at = [place[start + row] for row in part.rows]
        assert np.array_equal(part.predictions.values, whole.predictions.values[at])
        assert np.array_equal(part.assessment.leverage, whole.assessment.leverage[at])
        assert np.array_equal(part.assessment.nearest.places, whole.assessment.nearest.places[at])
    none = bundle.predict_standardized(["no", "no"], 2, first_row=510)
    assert none.predictions.values.shape == (0, 1)
