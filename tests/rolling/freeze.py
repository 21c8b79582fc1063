"""Freeze the job engine of a release, so that later schemas are tested against it.

    python tests/rolling/freeze.py REVISION COMMIT

REVISION is the newest migration of that release, COMMIT its commit or tag. Writes
`tests/rolling/engine_REVISION.zip`: `app.jobs` and the packages of `app` that it needs, as they
stand in COMMIT. The same commit always gives the same bytes. A frozen engine is never rewritten.
"""

import argparse
import ast
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: the first moment that a zip file can name
_MOMENT = (1980, 1, 1, 0, 0, 0)


def files_of(commit: str, repository: Path) -> dict[str, bytes]:
    """Every file of `app` in `commit`, by its path."""
    archive = _git(repository, "archive", "--format=tar", commit, "app")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def closure(files: dict[str, bytes], start: str = "jobs") -> set[str]:
    """The packages of `app` that `app.<start>` needs, itself among them.

    Imports inside functions count: nothing may be missing when they run.
    """
    known = {name.split("/")[1] for name in files if name.count("/") > 1}
    found, todo = set(), {start}
    while todo:
        package = todo.pop()
        found.add(package)
        for name, text in files.items():
            if name.startswith(f"app/{package}/") and name.endswith(".py"):
                todo |= (_imported(text) & known) - found
    return found


def _imported(text: bytes) -> set[str]:
    """`core` for each `import app.core...`, `from app.core... import`, `from app import core`."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("app.")}


def freeze(revision: str, commit: str, *, folder: Path = HERE, repository: Path = HERE) -> Path:
    """Write the zip; raises FileExistsError rather than change a frozen engine."""
    files = files_of(commit, repository)
    kept = tuple(f"app/{package}/" for package in closure(files))
    path = folder / f"engine_{revision}.zip"
    with path.open("xb") as target, zipfile.ZipFile(target, "w") as archive:
        archive.comment = _git(repository, "rev-parse", f"{commit}^{{commit}}").strip()
        for name in sorted(files):
            if name == "app/__init__.py" or name.startswith(kept):
                # stored, not deflated: the bytes do not depend on the version of zlib
                entry = zipfile.ZipInfo(name, date_time=_MOMENT)
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                archive.writestr(entry, files[name])
    return path


def _git(repository: Path, *words: str) -> bytes:
    # the root: `git archive` takes paths relative to where it runs
    top = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"], cwd=repository, check=True, capture_output=True
    )
    root = top.stdout.decode().strip()
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("revision", help="the newest migration of the release, e.g. 0001")
    parser.add_argument("commit", help="the release's commit or tag")
    words = parser.parse_args()
    try:
        path = freeze(words.revision, words.commit)
    except FileExistsError as error:
        parser.error(f"{error.filename} is there already; a frozen engine is never rewritten")
    print(f"{path.name}: {path.stat().st_size:,} bytes; add it to the commit of your migration")


if __name__ == "__main__":
    main()
