"""A file's bytes read as a table, as plan does it."""

import pytest

from app.core.settings import Settings
from app.datasets.reading import open_table
from app.storage.local import LocalStorage


@pytest.fixture
def read(tmp_path):
    """(table, rows) of bytes or text under a file name."""
    storage = LocalStorage(tmp_path)

    def run(content, name="f", settings=None, **options):
        storage.write("f", content if isinstance(content, bytes) else content.encode())
        with open_table(storage, "f", name, settings or Settings(), **options) as table:
            return table, list(table.rows)

    return run
