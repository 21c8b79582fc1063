"""A file with people in it: nothing of them is in any blob, row or answer afterwards."""

import base64

import orjson
import pytest

from app.core.errors import InvalidInput
from app.core.settings import get_settings
from app.ingestion.preview import preview
from app.resources import get_resources
from app.storage import EncryptedStorage
from tests.support.datasets import PROJECT, ingested, new_dataset, stored_file

pytestmark = pytest.mark.req("S1-41", "goal-36")
HEADER = "smiles,y,owner,email\n"
ROWS = "".join(f"{'C' * n}O,{n},Ada Lovelace {n},ada{n}@lab.example.org\n" for n in range(1, 30))
#: refused rows tell of their cells
REFUSED = "not a molecule,1,Ada Lovelace 99,ada99@lab.example.org\ntoo,few\n"
PERSONAL = {"owner": "drop", "email": "hash"}


@pytest.fixture
def sealed(retort_environment, monkeypatch):
    monkeypatch.setenv("RETORT_STORAGE_KEY", base64.b64encode(b"k" * 32).decode())
    monkeypatch.setenv("RETORT_PERSONAL_KEY", "a long random text")
    get_settings.cache_clear()
    get_resources.cache_clear()
    resources = get_resources()
    assert isinstance(resources.storage, EncryptedStorage)
    yield resources
    resources.database.dispose()


def everything(resources):
    """The text of every blob but the raw upload, opened, and of the rows that describe them."""
    for key in resources.storage.list(""):
        if not key.startswith("uploads/"):
            yield key, resources.storage.read(key)
    with resources.database.cursor() as cursor:
        for table in ("datasets", "jobs", "job_events", "files"):
            cursor.execute(f"SELECT t::text AS row FROM {table} t")
            yield from ((table, row["row"].encode()) for row in cursor.fetchall())


def test_nothing_personal_is_left(sealed):
    _, said = ingested(sealed, HEADER + ROWS + REFUSED, name="mols", personal=PERSONAL)
    assert said["rows_ok"] == 29
    seen = list(everything(sealed))
    assert len(seen) > 5
    for name, content in seen:
        assert b"Lovelace" not in content, name
        assert b"lab.example.org" not in content, name
    with sealed.database.cursor() as cursor:
        cursor.execute("SELECT columns, report FROM datasets")
        row = cursor.fetchone()
    assert row["report"]["personal"] == PERSONAL
    roles = {column["name"]: column["role"] for column in row["columns"]}
    assert roles == {"smiles": "smiles", "y": "target", "email": "ignore"}
    assert any("'owner' is personal" in note for note in row["report"]["notes"])


def test_a_hash_can_be_an_identifier(sealed):
    ingested(sealed, HEADER + ROWS, name="mols", personal=PERSONAL, roles={"email": "id"})
    (key,) = (k for k in sealed.storage.list("datasets/") if k.endswith("clean.parquet"))
    import pyarrow.parquet as pq

    values = pq.read_table(sealed.storage.local_path(key))["email"].to_pylist()
    assert len(set(values)) == 29
    assert all(len(value) == 64 and int(value, 16) for value in values)


def test_without_sealed_blobs_such_a_file_is_refused(resources):
    from app.core.work import SilentContext
    from app.ingestion import service

    file_id = stored_file(resources, HEADER + ROWS)
    params = new_dataset(resources, file_id, personal={"owner": "drop"})
    with pytest.raises(InvalidInput, match="only where blobs are sealed"):
        service.plan(resources, SilentContext(project_id=PROJECT), params)


def test_the_preview_names_what_looks_personal_and_keeps_to_what_was_said(resources):
    file = "uploads/x"
    resources.storage.write(file, (HEADER + ROWS).encode())
    asked = {"key": file, "name": "f.csv", "options": {}}
    found = preview(resources, asked)
    assert next(n for n in found["notes"] if "looks personal" in n).startswith("'email'")
    said = {"personal": {"owner": "drop", "email": "drop"}}
    found = preview(resources, asked | {"options": said})
    text = orjson.dumps(found).decode()
    assert "looks personal" not in text
    assert "Lovelace" not in text
    assert "lab.example" not in text
