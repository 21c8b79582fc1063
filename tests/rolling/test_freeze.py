"""Freezing an engine: what it needs and nothing more, the same bytes each time, never twice."""

import subprocess
import zipfile

import pytest

from tests.rolling.freeze import closure, freeze
from tests.rolling.old_engine import ENGINES, revision_of

FILES = {
    "app/__init__.py": "",
    "app/core/__init__.py": "",
    "app/core/errors.py": "class Wrong(Exception): ...",
    "app/jobs/__init__.py": "",
    "app/jobs/claim.py": "import os\nfrom app.core.errors import Wrong",
    "app/jobs/late.py": "def late():\n    from app import storage",
    "app/storage/__init__.py": "import app.settings.limits",
    "app/settings/__init__.py": "",
    "app/settings/limits.py": "from .limits import x",
    "app/chem/__init__.py": "import app.jobs",
    "api/main.py": "import app.chem",
}


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "release"]):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    return root


def test_imports_inside_functions_and_of_imported_packages_count():
    files = {name: text.encode() for name, text in FILES.items()}
    assert closure(files) == {"jobs", "core", "storage", "settings"}


def test_the_same_commit_gives_the_same_bytes_and_is_never_rewritten(repository, tmp_path):
    made = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        made.append(freeze("0007", "HEAD", folder=folder, repository=repository / "app"))
    assert [path.name for path in made] == ["engine_0007.zip"] * 2
    assert made[0].read_bytes() == made[1].read_bytes()
    (repository / "app/jobs/claim.py").write_text("not committed, so not frozen")
    with pytest.raises(FileExistsError):
        freeze("0007", "HEAD", folder=made[0].parent, repository=repository)
    with zipfile.ZipFile(made[0]) as archive:
        assert archive.namelist() == sorted(
            name for name in FILES if not name.startswith(("app/chem", "api"))
        )
        assert archive.read("app/jobs/claim.py").decode() == FILES["app/jobs/claim.py"]


@pytest.mark.parametrize("engine", ENGINES, ids=revision_of)
def test_a_frozen_engine_is_small_and_names_its_commit(engine):
    assert engine.stat().st_size < 200_000
    with zipfile.ZipFile(engine) as archive:
        assert len(archive.comment) == 40
        assert {"app/__init__.py", "app/jobs/claim.py"} <= set(archive.namelist())
