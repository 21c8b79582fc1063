"""Featurization on all cores: against bare RDKit, scikit-fingerprints and datamol, side by side.

Standardized SMILES of HIV in, one matrix of Morgan counts (radius 2, 2048) out, two processes each:
ours is what a worker does with a chunk of a `featurize` job, in a pool of the same shape; the peers
are called as their own documentation says for SMILES and two jobs, in environments of their own.
Rounds alternate; processes and imports are not counted. Then RDKit's descriptors (equal, and not
slower than RDKit called directly), and the rate at which features of a file come from the cache.

    python -m benchmarks.featurize [--rows N] [--rounds N] [--no-peers]
"""

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.chem.standardize import ChemistryError, standardize
from app.core.requests import PluginSpec
from app.core.work import SilentContext
from app.features.compute import FeatureSet, featurize_smiles
from app.featurization.parts import write_part
from app.featurizers.base import Featurizer
from app.prediction.featurized import Featurized, packed, unpacked
from benchmarks.cluster import hiv_smiles
from benchmarks.records import Result, finish

ROWS, ROUNDS, PROCESSES = 20_000, 3, 2
_CHUNK = 500
_DESCRIPTOR_ROWS = 600
_TURN = 5
_CACHED_ROWS = 4_000
_PARTS = 5
#: ours against each, at least (rates)
LIMITS = {"rdkit": 0.95, "skfp": 1.25, "datamol": 1.3}
DESCRIPTORS_LIMIT = 0.95
CACHED_PER_SECOND = 100_000
_SPEC = PluginSpec(name="morgan_counts")

#: {environment: program}; each prints the median seconds of its rounds, the first not counted
PEERS = {
    "skfp": """
from skfp.fingerprints import ECFPFingerprint
fingerprint = ECFPFingerprint(fp_size=2048, radius=2, count=True, n_jobs=2)
def work(smiles):
    return fingerprint.transform(smiles)
""",
    "datamol": """
import datamol as dm
import numpy as np
def one(text):
    return dm.to_fp(dm.to_mol(text), fp_type="ecfp-count", radius=2, fpSize=2048)
def work(smiles):
    return np.stack(dm.parallelized(one, smiles, n_jobs=2, scheduler="processes"))
""",
}
_RUN = """
import statistics, sys, time
smiles = open(sys.argv[1]).read().split()
work(smiles[:200])
times = []
for _ in range(int(sys.argv[2])):
    started = time.perf_counter()
    found = work(smiles)
    times.append(time.perf_counter() - started)
assert found.shape == (len(smiles), 2048), found.shape
print(statistics.median(times))
"""


def _ours(smiles: Sequence[str]) -> int:
    """A chunk, as app/featurization/service.py runs it."""
    (featurizer,) = FeatureSet([_SPEC]).featurizers
    buffer = io.BytesIO()
    errors = write_part(buffer, SilentContext(), featurizer, _SPEC, smiles, None)
    return len(buffer.getvalue()) + len(errors)


def _bare(smiles: Sequence[str]) -> int:
    """The least that a chemist would write, with the matrix as bytes like ours."""
    from rdkit import Chem
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    generator = GetMorganGenerator(radius=2, fpSize=2048)
    matrix = np.empty((len(smiles), 2048), dtype=np.float32)
    for row, text in enumerate(smiles):
        matrix[row] = generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(text))
    buffer = io.BytesIO()
    np.save(buffer, matrix)
    return len(buffer.getvalue())


def _seconds(pool: Pool, work: Callable[[Sequence[str]], int], smiles: Sequence[str]) -> float:
    chunks = [smiles[n : n + _CHUNK] for n in range(0, len(smiles), _CHUNK)]
    started = time.perf_counter()
    pool.map(work, chunks, chunksize=1)
    return time.perf_counter() - started


def _peer(name: str, path: Path, rounds: int) -> float:
    from benchmarks.peers.environments import python_of

    program = [str(python_of(name)), "-c", PEERS[name] + _RUN, str(path), str(rounds)]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def _standardized(rows: int) -> list[str]:
    found: list[str] = []
    for text in hiv_smiles():
        try:
            found.append(standardize(text).smiles)
        except ChemistryError:
            continue
        if len(found) == rows:
            break
    return found


def rates(smiles: list[str], rounds: int, *, peers: bool) -> dict[str, float]:
    """Molecules per second of each."""
    times: dict[str, list[float]] = {"ours": [], "rdkit": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        get_context("spawn").Pool(PROCESSES) as pool,
    ):
        path = Path(folder) / "smiles.txt"
        path.write_text("\n".join(smiles))
        for work in (_ours, _bare):
            _seconds(pool, work, smiles[: 4 * _CHUNK])
        for _ in range(rounds):
            times["ours"].append(_seconds(pool, _ours, smiles))
            times["rdkit"].append(_seconds(pool, _bare, smiles))
            for name in PEERS if peers else ():
                times.setdefault(name, []).append(_peer(name, path, 1))
    return {name: len(smiles) / statistics.median(each) for name, each in times.items()}


def descriptors(smiles: Sequence[str]) -> float:
    """Rate of ours over RDKit's own; raises AssertionError where a number differs."""
    from rdkit import Chem
    from rdkit.Chem import Descriptors

    # of each their own: a molecule remembers what was computed of it
    theirs, mols = ([Chem.MolFromSmiles(text) for text in smiles] for _ in range(2))
    spec = PluginSpec(name="rdkit_descriptors")
    feature_set = FeatureSet([spec])
    (featurizer,) = feature_set.featurizers
    assert isinstance(featurizer, Featurizer)
    featurize_smiles(feature_set, smiles[:1], None, mols[:1])
    direct: list[dict[str, float]] = []
    found, spent = [], {"direct": 0.0, "ours": 0.0}
    # some at a time in turns: the machine is now faster, now slower
    for start in range(0, len(mols), _TURN):
        part = slice(start, start + _TURN)
        started = time.perf_counter()
        direct += [Descriptors.CalcMolDescriptors(mol) for mol in theirs[part]]
        between = time.perf_counter()
        found.append(featurize_smiles(feature_set, smiles[part], None, mols[part]))
        spent["direct"] += between - started
        spent["ours"] += time.perf_counter() - between
    assert not any(part.errors for part in found)
    matrix = np.concatenate([part.matrix for part in found])
    names = featurizer.columns()
    expected = [[row[name] for name in names] for row in direct]
    np.testing.assert_array_equal(matrix, np.array(expected, dtype=np.float32))
    print(f"  {len(names)} descriptors of {len(smiles)} molecules equal RDKit's")
    return spent["direct"] / spent["ours"]


def cached_rate(smiles: Sequence[str], folder: Path) -> float:
    """Molecules per second out of parts of the cache, decoded to the model's matrix, by as many
    processes as featurize.
    """
    feature_set = FeatureSet([_SPEC])
    given: dict[str, pa.Array[Any]] = {
        "row": pa.array(range(1, len(smiles) + 1), pa.int64()),
        "id": pa.array([None] * len(smiles), pa.string()),
        "input": pa.array(smiles),
    }
    rows = Featurized.of(feature_set, given, [standardize(text) for text in smiles], None)
    table = packed(rows, feature_set)
    if table is None:
        raise ValueError("these features are not kept")
    path = folder / "part.parquet"
    pq.write_table(table, path, compression="zstd", compression_level=1, use_dictionary=False)
    found = unpacked(pq.read_table(path), feature_set)
    np.testing.assert_array_equal(found.matrix, rows.matrix)
    parts, times = [str(path)] * (_PARTS * PROCESSES), []
    with get_context("spawn").Pool(PROCESSES) as pool:
        pool.map(_read_cached, parts[:PROCESSES], chunksize=1)
        for _ in range(5):
            started = time.perf_counter()
            read = sum(pool.map(_read_cached, parts, chunksize=1))
            times.append(time.perf_counter() - started)
    return read / statistics.median(times)


def _read_cached(path: str) -> int:
    """As app/prediction/chunk.py reads a chunk whose features are at hand; how many rows."""
    table = pq.read_table(path, use_threads=False)
    return len(unpacked(table, FeatureSet([_SPEC])).matrix)


def main(rows: int, rounds: int, *, peers: bool) -> list[Result]:
    smiles = _standardized(rows)
    found = rates(smiles, rounds, peers=peers)
    print(f"featurize: {len(smiles):,} molecules, Morgan counts, {PROCESSES} processes each")
    results = [_beside(name, found, len(smiles)) for name in LIMITS if name in found]
    for one in results:
        print(f"  {one.ratio:.2f} times {one.beside} (limit {one.limit})")
    for name, rate in found.items():
        print(f"  {name:8} {rate:8,.0f} molecules/s")
    ratio = descriptors(smiles[:_DESCRIPTOR_ROWS])
    print(f"  descriptors: {ratio:.2f} of RDKit called directly (limit {DESCRIPTORS_LIMIT})")
    with tempfile.TemporaryDirectory() as folder:
        rate = cached_rate(smiles[:_CACHED_ROWS], Path(folder))
    print(f"  from the cache: {rate:,.0f} molecules/s (limit {CACHED_PER_SECOND:,})")
    return [
        *results,
        Result(
            name="featurize.descriptors",
            what=f"RDKit descriptors of {_DESCRIPTOR_ROWS} molecules, equal to RDKit's (in turns)",
            ours="",
            beside="RDKit called directly",
            ratio=ratio,
            limit=DESCRIPTORS_LIMIT,
            at_least=True,
        ),
        Result(
            name="featurize.cached",
            what="cached features, two processes",
            ours=f"{rate:,.0f} molecules/s",
            beside=f"the limit of {CACHED_PER_SECOND:,}/s",
            ratio=rate / CACHED_PER_SECOND,
            limit=1.0,
            at_least=True,
        ),
    ]


def _beside(name: str, rates: dict[str, float], molecules: int) -> Result:
    peer = {"rdkit": "the bare RDKit loop", "skfp": "scikit-fingerprints"}.get(name, name)
    return Result(
        name=f"featurize.{name}",
        what=f"featurize: {molecules:,} molecules, Morgan counts, two processes",
        ours=f"{rates['ours']:,.0f}/s",
        beside=f"{peer}: {rates[name]:,.0f}/s",
        ratio=rates["ours"] / rates[name],
        limit=LIMITS[name],
        at_least=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--no-peers", action="store_true")
    asked = parser.parse_args()
    sys.exit(finish(main(asked.rows, asked.rounds, peers=not asked.no_peers)))
