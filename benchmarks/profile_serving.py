"""A flame graph of what a synchronous prediction costs: `python -m benchmarks.profile_serving`.

py-spy, in an environment of its own, samples the processes of the cluster that work while eight
clients ask for molecules never seen before (or, with `--cached`, for one molecule again and
again): found by the processor time that they use under load, so nothing here knows how serving is
built. Waiting is not drawn, only running. One SVG of both; move over a frame to read it. Needs the
right to trace processes (in a container SYS_PTRACE).
"""

import argparse
import contextlib
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path

import psutil

from benchmarks.cluster import ROOT, Cluster, embedded, hiv_smiles, train_esol
from benchmarks.flame_graph import draw
from benchmarks.load import Load, drive
from benchmarks.peers.environments import python_of
from benchmarks.peers.servers import wait_until_it_answers
from benchmarks.serving import retort

_CLIENTS = 8
_RATE = 200
#: of the processor time of all of them: who uses less has nothing to do with it
_WORKING = 0.08
_SETTLED_SECONDS = 4.0
#: outermost frames of a program and of its threads: a stack read while it changes has others
_BEGIN = ("_run_module_as_main", "Thread._bootstrap", "<module>")


@contextlib.contextmanager
def under_load(port: int, requests: Iterator[bytes], seconds: float) -> Iterator[list[Load]]:
    """Clients in a thread, for at most `seconds`; the load is there when this has ended."""
    loads: list[Load] = []

    def ask() -> None:
        loads.append(drive(port, requests, clients=_CLIENTS, seconds=seconds))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield loads
    finally:
        thread.join()


def working(cluster: Cluster) -> dict[int, str]:
    """Python processes of the cluster that are busy now, by process id: what they are."""
    marks = [process for process in psutil.process_iter() if _belongs(process, cluster.home)]
    for process in marks:
        with contextlib.suppress(psutil.Error):
            process.cpu_percent()
    threading.Event().wait(_SETTLED_SECONDS)
    used = {}
    for process in marks:
        with contextlib.suppress(psutil.Error):
            used[process] = process.cpu_percent()
    least = _WORKING * sum(used.values())
    return {each.pid: _role(each) for each, share in used.items() if share and share >= least}


def _belongs(process: psutil.Process, home: Path) -> bool:
    try:
        inside = process.environ().get("RETORT_HOME") == str(home)
        return (
            inside and "python" in Path(process.exe()).name and process.pid != psutil.Process().pid
        )
    except psutil.Error:
        return False


def _role(process: psutil.Process) -> str:
    """The gateway, or the worker whose child it is."""
    for each in (process, *process.parents()):
        words = each.cmdline()
        if "api.main:create_api" in words:
            return "gateway"
        for word in words:
            if word.endswith("@%h"):
                return f"worker {word.removesuffix('@%h')}"
    return process.name()


def sample(processes: dict[int, str], seconds: float, folder: Path) -> Counter[tuple[str, ...]]:
    """Samples by stack, outermost frame first, below what the process is. Whole stacks only."""
    recorder = python_of("profile").parent / "py-spy"
    files = {pid: folder / f"{pid}.folded" for pid in processes}
    spies = [
        subprocess.Popen(
            [
                *(recorder, "record", "--pid", str(pid), "--duration", str(int(seconds))),
                # a thread stopped for a sample is seen running at the next, even if it waits
                *("--rate", str(_RATE), "--nonblocking", "--format", "raw", "--output", file),
            ],
            stdout=subprocess.DEVNULL,
        )
        for pid, file in files.items()
    ]
    for spy in spies:
        if spy.wait() != 0:
            raise RuntimeError("py-spy may not trace processes here (ptrace); see its words above")
    found: Counter[tuple[str, ...]] = Counter()
    for pid, file in files.items():
        for line in file.read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            if stack.startswith(_BEGIN):
                found[processes[pid], *stack.split(";")] += int(count)
    return found


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cached", action="store_true", help="one molecule again and again")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--output", type=Path)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] = ()) -> int:
    options = parse(arguments)
    kind = "cached" if options.cached else "uncached"
    output = options.output or ROOT / "docs" / "static" / f"serving-{kind}.svg"
    with embedded() as cluster:
        model = train_esol(
            cluster.client, features=[{"name": "morgan_bits"}], algorithm={"name": "lightgbm"}
        )
        server, smiles = retort(cluster, model), hiv_smiles(shuffled=True)
        wait_until_it_answers(server)
        server.items(smiles[:64])
        once = (server.request(text) for text in smiles[64:])
        requests = repeat(server.request(smiles[0])) if options.cached else once
        whole = options.seconds + 2 * _SETTLED_SECONDS
        with under_load(server.port, requests, whole) as loads:
            processes = working(cluster)
            stacks = sample(processes, options.seconds, cluster.home)
    rate = f"{loads[0].rate:.0f} requests/s under the sampler"
    title = f"{kind.capitalize()} predictions, {_CLIENTS} clients, {rate}"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(draw(stacks, title))
    print(f"{output}: {output.stat().st_size / 1024:.0f} KiB, {sum(stacks.values())} samples")
    print("\n".join(f"  {role} (process {pid})" for pid, role in processes.items()))
    return int(loads[0].refusals > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
