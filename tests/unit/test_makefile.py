"""`make test` runs every file of tests, and none twice."""

import shlex
import subprocess
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: needs a container engine (`make test-docker`)
ELSEWHERE = ROOT / "tests/docker"


def runs(target):
    """Of each command of pytest that `target` would run, its arguments."""
    told = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace("\\\n", " ")
    return [shlex.split(line) for line in told.splitlines() if "-m pytest" in line]


def files_of(arguments):
    """Those that pytest would look into."""
    glob = "--ignore-glob="
    ignored = {
        file
        for one in arguments
        if one.startswith(glob)
        for file in ROOT.glob(one.removeprefix(glob))
    }
    for argument in arguments:
        path = ROOT / argument
        if argument.startswith("tests/") and path.exists():
            found = [path] if path.is_file() else path.rglob("test_*.py")
            yield from (file for file in found if file not in ignored)


def test_every_file_is_run_once():
    targets = ("test-unit", "test-integration", "test-system")
    taken = Counter(file for target in targets for run in runs(target) for file in files_of(run))
    written = {file for file in ROOT.glob("tests/**/test_*.py") if ELSEWHERE not in file.parents}
    assert taken == dict.fromkeys(written, 1)


def test_make_test_runs_these_targets():
    makefile = (ROOT / "Makefile").read_text()
    recipe = makefile.split("\ntest: ", 1)[1].split("\n\n", 1)[0]
    assert recipe.split()[-3:] == ["test-unit", "test-integration", "test-system"]
