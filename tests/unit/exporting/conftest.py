"""A bundle as an export writes it, without a database."""

from types import SimpleNamespace

import pytest

from app.algorithms.base import LearningTask
from app.core.ids import new_id
from app.exporting.archive import folder_files, write_zip
from app.exporting.bundle_file import FACTS, PROBE, BundleFacts, OpenBundle, copy_folder
from app.exporting.probe import Probe, ProbeRow
from app.storage.memory import MemoryStorage
from tests.support.bundles import MOLECULES, bundle_of

TASK = LearningTask(type="regression", targets=("y",))


class Made:
    """`files`: what the zip holds, by name; `write` makes it."""

    def __init__(self, folder):
        self.model = bundle_of("ridge", TASK, {})
        self.storage = MemoryStorage()
        saved = self.model.save(self.storage, new_id(), {"card.md": b"# card\n"})
        self.folder = folder / "model"
        self.folder.mkdir()
        copy_folder(self.storage, saved.manifest_key, self.folder)
        self.rows = [ProbeRow(smiles=smiles) for smiles in MOLECULES[::4]]
        probe = Probe.of(self.model, self.rows).model_dump_json().encode()
        row = SimpleNamespace(
            name="made",
            number=2,
            training_config={"dataset": "d"},
            targets=[{"name": "y"}],
            metrics={"test": {}},
            device="cpu",
            sha256=saved.sha256,
        )
        facts = BundleFacts.of(row, probe).to_json()
        files = {name: path.read_bytes() for name, path in folder_files(self.folder).items()}
        self.files = {**files, FACTS: facts, PROBE: probe}

    def write(self, path, **changed):
        """`changed`: other content by name; None leaves a file out."""
        files = {n: c for n, c in (self.files | changed).items() if c is not None}
        with path.open("wb") as stream:
            write_zip(stream, files)
        return path


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture
def opened(tmp_path):
    def open_(path, **options):
        folder = tmp_path / f"unfolded-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return OpenBundle.unpack(path, folder, **options)

    return open_
