"""One embedded cluster for the acceptance tests of the main job, started as a user starts it."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from retort import Retort
from tests.support.guides import plugin_files
from tests.support.servers import new_home

ROOT = Path(__file__).resolve().parents[2]

ALGORITHM = '''
"""The median of the training labels: the simplest algorithm there is."""

from pathlib import Path

import numpy as np
import orjson

from app.algorithms.base import Algorithm, Predictions, algorithms
from app.core.plugin import PluginParams


class Median:
    def __init__(self, values):
        self.values = values

    def predict(self, X):
        return Predictions(values=np.tile(self.values, (len(X), 1)))

    def save(self, folder: Path):
        (folder / "median.json").write_bytes(orjson.dumps(self.values))

    def describe(self):
        return {"median": self.values}


@algorithms.register
class MedianAlgorithm(Algorithm):
    name = "site_median"
    summary = "Predicts the median"
    reference = "-"
    tasks = frozenset({"regression"})

    class Params(PluginParams):
        shift: float = 0.0

    def fit(self, task, train, validation, context):
        return Median([float(v) + self.params.shift for v in np.nanmedian(train.y, axis=0)])

    @classmethod
    def load(cls, folder, task):
        return Median(orjson.loads((folder / "median.json").read_bytes()))
'''

FEATURIZER = '''
"""The number of heavy atoms."""

import numpy as np

from app.featurizers.base import Featurizer, featurizers


@featurizers.register
class HeavyAtoms(Featurizer):
    name = "site_heavy_atoms"
    summary = "Heavy atom count"
    reference = "RDKit GetNumHeavyAtoms"
    output = "floats"

    def columns(self):
        return ["heavy_atoms"]

    def featurize_one(self, mol):
        return np.array([mol.GetNumHeavyAtoms()], dtype=np.float32)
'''


class RunningCluster:
    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.environment = environment

    def command(self, *words: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )


@pytest.fixture(scope="session")
def cluster():
    home = new_home("retort-acceptance-", in_memory=False)
    plugins = home / "plugins"
    for folder, name, text in (
        ("algorithms", "site_median.py", ALGORITHM),
        ("featurizers", "site_heavy_atoms.py", FEATURIZER),
    ):
        (plugins / folder).mkdir(parents=True)
        (plugins / folder / name).write_text(textwrap.dedent(text))
    for name, text in plugin_files().items():
        (plugins / name).write_text(text)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("RETORT_")
    }
    environment |= {
        "RETORT_HOME": str(home),
        "RETORT_CONFIG": str(home / "client.json"),
        "RETORT_PLUGIN_PATHS": str(plugins),
        # a lost worker is noticed sooner than in production; the mechanism is the same
        "RETORT_LEASE_SECONDS": "20",
        "RETORT_HEARTBEAT_SECONDS": "5",
        "RETORT_SWEEP_SECONDS": "3",
    }
    running = RunningCluster(home, environment)
    up = running.command("workers.embedded", "up")
    assert up.returncode == 0, up.stdout + up.stderr
    yield running
    running.command("workers.embedded", "down")
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def client(cluster):
    import json

    stored = json.loads((cluster.home / "client.json").read_text())
    with Retort(stored["url"], stored["api_key"]) as client:
        yield client
