"""A model whose parts lie in folders comes back from storage whole."""

from hashlib import sha256

import numpy as np
import orjson
import pytest

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from app.core.errors import InvalidInput
from app.core.ids import new_id
from app.core.requests import PluginSpec
from app.features.compute import FeatureSet
from app.models.bundle import BundleManifest, ModelBundle
from app.storage.memory import MemoryStorage

TASK = LearningTask(type="regression", targets=("y",))
FEATURES = (PluginSpec(name="maccs"),)
VALUES = {"members": [{"name": "ridge"}, {"name": "linear_regression"}]}


@pytest.fixture
def bundle():
    X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    algorithm = algorithms.get("consensus").from_values(VALUES)
    fitted = algorithm.fit(TASK, Examples(X=X, y=X[:, :1].astype(float)), None, FitContext())
    manifest = BundleManifest(
        name="m",
        task=TASK.type,
        targets=TASK.targets,
        algorithm="consensus",
        algorithm_version=1,
        hyperparameters={},
        features=FEATURES,
        feature_set_key=FeatureSet(FEATURES).key,
        dataset={},
        split={},
        seed=0,
    )
    return ModelBundle.new(manifest, fitted)


def test_members_keep_their_folders(bundle):
    storage = MemoryStorage()
    saved = bundle.save(storage, new_id())
    loaded = ModelBundle.load(storage, saved.manifest_key, expected_sha256=saved.sha256)
    assert {"weights/member-0/targets.json", "weights/member-1/targets.json"} <= set(
        loaded.manifest.files
    )
    X = np.ones((4, 3), np.float32)
    expected = bundle.fitted.predict(X)
    np.testing.assert_array_equal(loaded.fitted.predict(X).values, expected.values)


def test_memory_is_counted_by_the_files_that_were_loaded(bundle):
    """Twice their bytes: what the cache's budget is kept by. Plots and figures are not loaded."""
    storage, model_id = MemoryStorage(), new_id()
    saved = bundle.save(storage, model_id, {"metrics.json": b" " * 100_000})
    loaded = ModelBundle.load(storage, saved.manifest_key)
    weights = storage.list(f"models/{model_id}/weights/")
    stored = sum(len(storage.read(key)) for key in weights)
    assert stored > 1_000
    assert loaded.assessor is None
    assert loaded.memory_bytes == 2 * stored


class Planted(MemoryStorage):
    """Holds what its keys do not allow: the file that a forged manifest points to."""

    def read(self, key):
        return b"" if ".." in key else super().read(key)


def test_a_path_that_leaves_the_folder_is_refused(bundle):
    storage = Planted()
    saved = bundle.save(storage, new_id())
    manifest = orjson.loads(storage.read(saved.manifest_key))
    manifest["files"]["weights/../../planted"] = sha256(b"").hexdigest()
    storage.write(saved.manifest_key, orjson.dumps(manifest))
    with pytest.raises(InvalidInput) as refused:
        ModelBundle.load(storage, saved.manifest_key)
    assert refused.value.problem()["code"] == "model_altered"
