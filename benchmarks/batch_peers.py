"""HIV's molecules: our batch job against `chemprop predict` and ADMET-AI's `admet_predict`.

chemprop's model is a D-MPNN of its defaults, trained on ESOL outside of the clock for a few epochs:
its speed does not depend on how well it learned. ADMET-AI's are those of its wheel: ten D-MPNNs
that answer 41 endpoints, physicochemical properties and DrugBank percentiles beside them, where
ours answers one, with interval and domain.

Ours, of ESOL, is first `maplight`, a model of comparable kind: what a chemist would take in their
place, MapLight's features and booster (Notwell and Wood 2023, arXiv:2310.00174), ahead of D-MPNNs
on many of TDC's ADMET boards. `morgan`, the quick one, is shown beside it.

Every command is timed from its start until its file is written, and once for a single molecule:
its start-up. Ours begins with the POST of a job to a cluster that runs, as it does for a user.

    python -m benchmarks.batch_peers [--molecules N] [--rounds N] [--epochs N] [--ours NAME ...]
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cluster import (
    DATA,
    TARGET,
    Cluster,
    embedded,
    forget_features,
    hiv_smiles,
    train_esol,
)
from benchmarks.peers.environments import python_of
from benchmarks.records import Result, finish, table

#: of a command line
Words = Sequence[str | Path]

#: the rate of our first model over that of one of the peers
LIMIT = 3.0
OURS: dict[str, dict[str, Any]] = {
    "morgan": {"features": [{"name": "morgan_counts"}], "algorithm": {"name": "lightgbm"}},
    "maplight": {
        "features": [{"name": "maplight"}],
        "algorithm": {"name": "catboost"},
    },
}
_OF = {
    "retort, morgan": "Morgan counts and LightGBM",
    "retort, maplight": "MapLight features and CatBoost, one endpoint",
    "chemprop predict": "`chemprop predict`, one D-MPNN",
    "admet_predict": "ADMET-AI's `admet_predict`, ten D-MPNNs, 41 endpoints",
}


@dataclass(kw_only=True)
class Found:
    """Seconds of each round."""

    name: str
    rows: int
    whole: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return statistics.median(self.whole)

    @property
    def start_up(self) -> float:
        return statistics.median(self.start)

    @property
    def rate(self) -> float:
        """Molecules per second, start-up included."""
        return self.rows / self.seconds

    def row(self) -> str:
        without = self.rows / max(self.seconds - self.start_up, 1e-9)
        return (
            f"| {self.name} | {self.seconds:.1f} s | {self.start_up:.1f} s"
            f" | {self.rate:.0f} | {without:.0f} |"
        )


def readable(smiles: Sequence[str]) -> list[str]:
    """Those that RDKit reads: chemprop refuses a file for a single one that it does not."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return [text for text in smiles if Chem.MolFromSmiles(text) is not None]


def write_csv(path: Path, smiles: Sequence[str]) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["smiles"], *([text] for text in smiles)])
    return path


def run(command: Words, folder: Path) -> float:
    """Seconds of a whole command. Raises CalledProcessError; what it said is in a log beside."""
    started = time.perf_counter()
    with (folder / "peer.log").open("ab") as log:
        environment = {**os.environ, "TQDM_DISABLE": "1"}
        subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=log, check=True)
    return time.perf_counter() - started


def train_chemprop(folder: Path, epochs: int) -> Path:
    """A D-MPNN of chemprop's defaults. The data are ESOL's."""
    model = folder / "dmpnn"
    data: Words = ["--data-path", DATA / "esol.csv", "--smiles-columns", "smiles"]
    learn = ["--target-columns", TARGET, "--task-type", "regression", "--epochs", str(epochs)]
    where: Words = ["--output-dir", model, "--accelerator", "cpu"]
    run([*_chemprop(), "train", *data, *learn, *where], folder)
    return model


def chemprop(model: Path, folder: Path, molecules: Path) -> float:
    files: Words = ["--test-path", molecules, "--preds-path", folder / "chemprop.csv"]
    options: Words = ["--smiles-columns", "smiles", "--model-paths", model, "--accelerator", "cpu"]
    return run([*_chemprop(), "predict", *files, *options], folder)


def admet_ai(folder: Path, molecules: Path) -> float:
    program = "from admet_ai.admet_predict import admet_predict_command_line as main; main()"
    files: Words = ["--data_path", molecules, "--save_path", folder / "admet_ai.csv"]
    return run([python_of("admet_ai"), "-c", program, *files], folder)


def _chemprop() -> Words:
    return [python_of("chemprop"), "-c", "from chemprop.cli.main import main; main()"]


def job(cluster: Cluster, model: str, molecules: Path) -> float:
    """From the POST until the job has ended; the upload is before the clock, as a file on a disk.
    Nothing of these molecules is in the cache.
    """
    forget_features(cluster)
    file_id = cluster.client.files.upload(molecules)["id"]
    started = time.perf_counter()
    submitted = cluster.client.jobs.submit("predict", {"model": model, "file_id": file_id})
    cluster.client.jobs.wait(submitted["id"])
    return time.perf_counter() - started


def measure(
    ways: dict[str, Callable[[Path], float]], folder: Path, smiles: list[str], rounds: int
) -> list[Found]:
    """Rounds alternate."""
    whole, one = write_csv(folder / "whole.csv", smiles), write_csv(folder / "one.csv", smiles[:1])
    found = [Found(name=name, rows=len(smiles)) for name in ways]
    for each in found:
        ways[each.name](one)  # its files are read from the disk once before the clock
    for _ in range(rounds):
        for each in found:
            each.start.append(ways[each.name](one))
            each.whole.append(ways[each.name](whole))
    return found


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--molecules", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=5, help="of chemprop's training; 3 or more")
    parser.add_argument("--ours", nargs="+", choices=sorted(OURS), default=["maplight", "morgan"])
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] = ()) -> list[Result]:
    options = parse(arguments)
    smiles = readable(hiv_smiles(shuffled=True)[: options.molecules])
    with embedded() as cluster:
        home, ways = cluster.home, dict[str, Callable[[Path], float]]()
        for name in options.ours:
            model = train_esol(cluster.client, **OURS[name], name=name)
            ways[f"retort, {name}"] = partial(job, cluster, model)
        dmpnn = train_chemprop(home, options.epochs)
        ways["chemprop predict"] = lambda molecules: chemprop(dmpnn, home, molecules)
        ways["admet_predict"] = lambda molecules: admet_ai(home, molecules)
        found = measure(ways, home, smiles, options.rounds)
    return report(found)


def report(found: list[Found]) -> list[Result]:
    """Our first model is the one that the limit is for."""
    ours = [each for each in found if each.name.startswith("retort")]
    peers = [each for each in found if each not in ours]
    slowest = min(peers, key=lambda peer: peer.rate)
    results = [
        Result(
            name=f"batch_peers.{mine.name.split()[-1]}.{theirs.name.split()[0]}",
            what=f"batch prediction of {mine.rows:,} of HIV's molecules, {_OF[mine.name]}",
            ours=f"{mine.rate:,.0f}/s",
            beside=f"{_OF[theirs.name]}: {theirs.rate:,.0f}/s",
            ratio=mine.rate / theirs.rate,
            # of one peer, whichever
            limit=LIMIT if mine is ours[0] and theirs is slowest else None,
            at_least=True,
        )
        for mine in ours
        for theirs in peers
    ]
    print(table(results))
    print(
        "\n| command | whole | start-up | molecules/s | without start-up |\n|---|---|---|---|---|"
    )
    for each in found:
        print(each.row())
    return results


if __name__ == "__main__":
    sys.exit(finish(main(sys.argv[1:])))
