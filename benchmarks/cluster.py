"""A cluster of ours for one benchmark, and what it is asked about."""

import csv
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from redis import Redis

from retort import Retort

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "examples" / "data"
TARGET = "measured log solubility in mols per litre"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    client: Retort
    home: Path
    url: str
    key: str

    @property
    def port(self) -> int:
        """The gateway's."""
        return urlsplit(self.url).port or 80

    @property
    def blobs(self) -> Path:
        return self.home / "blobs"


@contextmanager
def embedded(settings: dict[str, str] | None = None) -> Iterator[Cluster]:
    """Started in a folder of its own, stopped and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="retort-bench-"))
    home.chmod(0o711)
    environment = {**os.environ, **(settings or {}), "RETORT_HOME": str(home)}
    supervisor = [sys.executable, "-m", "workers.embedded"]
    try:
        _start(supervisor, environment)
        stored = json.loads((home / "client.json").read_text())
        with Retort(stored["url"], stored["api_key"]) as client:
            yield Cluster(client=client, home=home, url=stored["url"], key=stored["api_key"])
    finally:
        subprocess.run([*supervisor, "down"], cwd=ROOT, env=environment, check=False)
        shutil.rmtree(home, ignore_errors=True)


def _start(supervisor: list[str], environment: dict[str, str]) -> None:
    """`up` stops waiting after three minutes; on a machine that is busy it may take longer."""
    for command in ("up", *["wait"] * 3):
        if (
            subprocess.run(
                [*supervisor, command], cwd=ROOT, env=environment, check=False
            ).returncode
            == 0
        ):
            return
    raise TimeoutError("the cluster did not start; its last lines stand above")


def train_esol(client: Retort, **options: Any) -> str:
    """The id of a model of ESOL's solubilities."""
    if not any(found["name"] == "esol" for found in client.datasets.list()):
        client.datasets.create(DATA / "esol.csv", "esol", roles={TARGET: "target"})
    job = client.train("esol", targets=[TARGET], **options)
    return str(client.jobs.wait(job["id"])["result"]["model_id"])


def forget_features(cluster: Cluster) -> None:
    """Empty the Redis of caches, so that a second round has to work as the first had."""
    lines = (cluster.home / "cache" / "redis.conf").read_text().splitlines()
    settings = {
        name: value.strip('"') for name, _, value in (line.partition(" ") for line in lines)
    }
    with Redis(port=int(settings["port"]), password=settings["requirepass"]) as cache:
        cache.flushdb()


def manifest_key(model_id: str) -> str:
    return f"models/{UUID(model_id)}/manifest.json"


def hiv_smiles(*, shuffled: bool = False) -> list[str]:
    """41,913; in the file's order, or in one other order, so that every part is like the whole."""
    with gzip.open(DATA / "hiv.csv.gz", "rt", newline="") as stream:
        smiles = [row["smiles"] for row in csv.DictReader(stream)]
    if shuffled:
        random.Random(6).shuffle(smiles)
    return smiles
