"""Does the suite notice? `python -m tests.faults.mutations` breaks the engine in a copy of the
tree, one way at a time, and runs the tests that should fail. Exit code 1 when one of them passes.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Mutation:
    name: str
    file: str
    before: str
    after: str
    #: pytest arguments: each must fail
    tests: tuple[str, ...]


_FAULTS = "tests/faults/test_worker_faults.py"
_CLUSTER = "tests/faults/test_cluster_faults.py"
MUTATIONS = (
    Mutation(
        name="no claim token in the statements that end a job",
        file="app/jobs/finish.py",
        before='_FENCE: LiteralString = "id = %(id)s AND claim_token = %(token)s"',
        after='_FENCE: LiteralString = "id = %(id)s"',
        tests=(f"{_FAULTS}::test_a_zombies_late_result_is_refused",),
    ),
    Mutation(
        name="the sweeper is switched off",
        file="tasks/maintenance.py",
        before='    if not _due("sweep", resources.settings.sweep_seconds):\n        return\n',
        after="    return\n",
        tests=(f"{_CLUSTER}::test_flushall",),
    ),
    Mutation(
        name="the parent keeps no leases",
        file="workers/child_keeper.py",
        before="self._every(_TICK_SECONDS, lambda: self._tick(resources)",
        after="self._every(_TICK_SECONDS, lambda: None",
        tests=(f"{_FAULTS}::test_c_code_that_holds_the_interpreter_lock_keeps_its_lease",),
    ),
    Mutation(
        name="a finished run does not wait for Postgres",
        file="workers/job_task.py",
        before="            if not is_outage(error) or time.monotonic() > give_up:\n",
        after="            if True:\n",
        tests=(f"{_FAULTS}::test_a_run_ends_when_postgres_is_back",),
    ),
    Mutation(
        name="a chunk that crashes is not divided",
        file="app/jobs/sweeper.py",
        before='        if row["stop_row"] - row["start_row"] > 1:\n',
        after="        if False:\n",
        tests=(f"{_FAULTS}::test_a_poisonous_row_is_quarantined_and_the_rest_delivered",),
    ),
)


def is_noticed(mutation: Mutation) -> bool:
    with tempfile.TemporaryDirectory(prefix="retort-mutation-") as name:
        copy = Path(name) / "tree"
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for file in listed.stdout.decode().split("\0"):
            if file and (ROOT / file).is_file():
                (copy / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, copy / file)
        path = copy / mutation.file
        text = path.read_text()
        if text.count(mutation.before) != 1:
            raise SystemExit(f"{mutation.name}: {mutation.file} has changed; mend this list")
        path.write_text(text.replace(mutation.before, mutation.after))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "--timeout=300", *mutation.tests],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
    # 1: tests failed; anything else (no such test, a broken file) proves nothing
    if done.returncode not in (0, 1):
        raise SystemExit(f"{mutation.name}: pytest ended with {done.returncode}\n{done.stdout}")
    return done.returncode == 1


def main() -> int:
    survivors = 0
    for mutation in MUTATIONS:
        noticed = is_noticed(mutation)
        survivors += not noticed
        print(f"{'noticed ' if noticed else 'SURVIVED'}  {mutation.name}", flush=True)
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
