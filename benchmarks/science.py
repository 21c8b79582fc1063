"""The default model against published scores, on the shared data, by the product's own training.

Each training is the product's `train` service with its defaults (features, algorithm,
uncertainty), in this process, on a private Postgres and Redis. The default averages members; each
member is what its algorithm alone would be (same rows, features and seed), so the best single model
is found among them without training it again. Test rows score, and choose nothing.

    python -m benchmarks.science [--data esol freesolv] [--splits random] [--seeds 0 1]
        [--scores-only] [--records build/science.jsonl] [--write]

A training that stands in the records is not repeated: an interrupted run goes on where it was.
`--scores-only` fits the very same model without the folds that intervals are calibrated on, in a
sixth of the time; a later whole training takes the place of such a record.
`--write` puts the table into docs/benchmarks.md. Without options: every data set, five seeds (Tox21
and HIV fewer, see `science_table.DATA_SETS`), hours on one core.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from app.algorithms.base import FitContext, FittedModel, algorithms
from app.core.settings import get_settings
from app.core.work import SilentContext
from app.models.bundle import ModelBundle
from app.resources import Resources, get_resources
from app.training import service as training
from app.training.evaluating import evaluate_targets
from app.training.held_out import CROSS, method_of
from app.training.material import Material, prepare
from app.training.params import SplitSpec, TrainParams
from benchmarks.cluster import DATA, ROOT
from benchmarks.records import PAGE, put_into_page
from benchmarks.science_table import (
    DATA_SETS,
    DataSet,
    Record,
    latest,
    missed_goals,
    table,
    uncertainty_of,
)
from tests.support.datasets import PROJECT, ingested
from tests.support.servers import migrate
from workers.servers import PostgresServer, RedisServer


@contextmanager
def private_resources() -> Iterator[Resources]:
    """A process's resources on servers of its own, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="retort-science-"))
    home.chmod(0o711)  # Postgres' own account passes through
    postgres, redis = PostgresServer(home / "postgres", durable=False), RedisServer(home / "redis")
    try:
        postgres.start()
        redis.start()
        url = postgres.ensure_database("science")
        migrate(url)
        os.environ |= {
            "RETORT_DATABASE_URL": url,
            "RETORT_REDIS_URL": redis.url,
            "RETORT_CACHE_URL": f"{redis.url[:-1]}1",
            "RETORT_BROKER_URL": redis.url,
            "RETORT_STORAGE_ROOT": str(home / "blobs"),
            "RETORT_MLFLOW_TRACKING_URI": "",
            "RETORT_S3_BUCKET": "",
        }
        get_settings.cache_clear()
        get_resources.cache_clear()
        resources = get_resources()
        yield resources
        resources.database.dispose()
    finally:
        redis.kill()
        postgres.kill()
        shutil.rmtree(home, ignore_errors=True)


def train_once(
    resources: Resources, data: DataSet, dataset_id: UUID, split: str, seed: int
) -> Record:
    """One training of the default model: its scores on the test rows, and its members'."""
    params = _params(data, dataset_id, split, seed)
    started, busy = time.perf_counter(), time.process_time()
    result = training.run(resources, SilentContext(project_id=PROJECT), params).result
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - busy
    metrics = result["metrics"]
    fitted = ModelBundle.load(
        resources.storage, f"models/{result['model_id']}/manifest.json"
    ).fitted
    material = prepare(resources, SilentContext(project_id=PROJECT), params)
    return Record(
        data=data.name,
        split=split,
        seed=seed,
        algorithm=result["algorithm"],
        n=material.split.sizes,
        score=metrics["mean"][data.metric]["value"],
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        singles=_singles(material, data, fitted),
        uncertainty=uncertainty_of(metrics),
    )


def fit_once(
    resources: Resources, data: DataSet, dataset_id: UUID, split: str, seed: int
) -> Record:
    """The model of that training, and nothing around it: no folds, nothing stored."""
    params = _params(data, dataset_id, split, seed)
    started, busy = time.perf_counter(), time.process_time()
    material = prepare(resources, SilentContext(project_id=PROJECT), params)
    algorithm = algorithms.get(params.algorithm.name).from_values(dict(params.algorithm.params))
    cross = method_of(params, material, algorithm) == CROSS
    rows = material.usable(material.learned if cross else material.split.split.train)
    fitted = algorithm.fit(
        material.labels.task,
        material.examples(material.fit_features(rows), rows),
        None,
        FitContext(seed=seed, threads=resources.settings.worker_threads),
    )
    return Record(
        data=data.name,
        split=split,
        seed=seed,
        algorithm=algorithm.name,
        n=material.split.sizes,
        score=_score(material, data, fitted),
        seconds=time.perf_counter() - started,
        cpu_seconds=time.process_time() - busy,
        singles=_singles(material, data, fitted),
        uncertainty={},
    )


def _params(data: DataSet, dataset_id: UUID, split: str, seed: int) -> TrainParams:
    return TrainParams(
        dataset=data.name,
        dataset_id=dataset_id,
        targets=data.targets,
        split=SplitSpec(name=split, seed=seed),
        seed=seed,
        bootstrap=0,
    )


def _singles(material: Material, data: DataSet, fitted: Any) -> dict[str, float]:
    """Scores of a consensus' members on the test rows; {} for another algorithm."""
    if not hasattr(fitted, "fitted"):
        return {}
    pairs = zip(fitted.names, fitted.fitted, strict=True)
    return {name: _score(material, data, member) for name, member in pairs}


def _score(material: Material, data: DataSet, fitted: FittedModel) -> float:
    """On the test rows, mean over the targets."""
    test = material.usable(material.split.split.test)
    # of molecules: their features learn nothing, so any training rows do
    features = material.fit_features(material.usable(material.split.split.train))
    examples = material.examples(features, test)
    figures = evaluate_targets(
        material.labels.task, examples.y, fitted.predict(examples.X), n_bootstrap=0, seed=0
    )
    value = figures.mean({})[data.metric]["value"]
    if value is None:
        raise ValueError(f"{data.metric} of {data.name} is not defined on its test rows")
    return value


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Default models against published scores.")
    parser.add_argument("--data", nargs="+", choices=list(DATA_SETS), default=list(DATA_SETS))
    parser.add_argument(
        "--splits", nargs="+", choices=["random", "scaffold"], default=["random", "scaffold"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, help="left out: what each data set has")
    parser.add_argument("--scores-only", action="store_true", help="without uncertainty")
    parser.add_argument("--records", type=Path, default=ROOT / "build" / "science.jsonl")
    parser.add_argument("--write", action="store_true", help="the table into docs/benchmarks.md")
    return parser.parse_args()


def _known(path: Path) -> list[Record]:
    """Of each training the best record: one with uncertainty, then the latest."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return latest(Record(**orjson.loads(line)) for line in lines)


def _run(options: argparse.Namespace, records: list[Record]) -> None:
    """Adds what is missing to the file and to `records`."""
    done = {(r.data, r.split, r.seed) for r in records if options.scores_only or r.uncertainty}
    once = fit_once if options.scores_only else train_once
    wanted = [
        (data, split, seed)
        for data in (DATA_SETS[name] for name in options.data)
        for split in options.splits
        for seed in options.seeds or data.seeds(split)
        if (data.name, split, seed) not in done
    ]
    if not wanted:
        return
    options.records.parent.mkdir(parents=True, exist_ok=True)
    ids: dict[str, UUID] = {}
    with private_resources() as resources, options.records.open("ab") as stream:
        for data, split, seed in wanted:
            if data.name not in ids:
                roles = dict.fromkeys(data.targets, "target")
                path = DATA / data.file
                ids[data.name] = ingested(resources, path, name=data.name, roles=roles)[0]
            record = once(resources, data, ids[data.name], split, seed)
            stream.write(orjson.dumps(record) + b"\n")
            stream.flush()
            records.append(record)
            print(
                f"{data.name} {split} {seed}: {data.metric} {record.score:.4f}"
                f" in {record.seconds:.0f} s ({record.cpu_seconds:.0f} s of processors)",
                flush=True,
            )


def main() -> int:
    options = _options()
    records = _known(options.records)
    _run(options, records)
    records = latest(records)
    text = table(records)
    print(text)
    if options.write:
        PAGE.write_text(put_into_page(PAGE.read_text(), "science", text))
    missed = missed_goals(records)
    for line in missed:
        print(f"missed: {line}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
