"""Columns about people: gone or hashed where a file is opened; suspected where nobody said so."""

import hashlib
import hmac

import pytest

from app.core.errors import InvalidInput, UnknownName
from app.datasets.params import IngestParams, ReadParams
from app.datasets.personal import keep_sealed, protect, roles_with, suspicions
from app.datasets.readers.table import SourceRow, Table
from app.storage.encrypted import EncryptedStorage
from app.storage.memory import MemoryStorage
from app.storage.sealing import MAGIC, StorageKey

pytestmark = pytest.mark.req("S1-41", "goal-36")
ROWS = [("C", "ada@x.org", "1"), ("CC", " ada@x.org ", "2"), ("CCC", "", "3")]
NAMES = ["smiles", "mail", "y"]


def table(reason=None):
    rows = [
        SourceRow(row=n, cells=dict(zip(NAMES, cells, strict=True)), reason=reason)
        for n, cells in enumerate(ROWS, 1)
    ]
    return Table(format="csv", columns=list(NAMES), rows=iter(rows))


def test_a_dropped_column_was_never_there():
    found = table()
    protect(found, {"mail": "drop"}, {}, "")
    assert found.columns == ["smiles", "y"]
    rows = list(found.rows)
    assert [row.cells for row in rows] == [{"smiles": s, "y": y} for s, _, y in ROWS]
    assert found.notes == ["'mail' is personal: it was dropped before anything was stored"]


def test_a_hash_keeps_equal_values_equal_and_needs_the_key():
    found = table()
    protect(found, {"mail": "hash"}, {"mail": "id"}, "the key")
    cells = [row.cells["mail"] for row in found.rows]
    expected = hmac.new(b"the key", b"ada@x.org", hashlib.sha256).hexdigest()
    assert cells == [expected, expected, ""]
    with pytest.raises(InvalidInput, match="no key") as caught:
        protect(table(), {"mail": "hash"}, {}, "")
    assert "RETORT_PERSONAL_KEY" in caught.value.problem()["remedy"]


def test_why_a_row_was_refused_quotes_nothing():
    found = table(reason="4 cells, not 3: 'ada@x.org'")
    protect(found, {"mail": "drop"}, {}, "")
    assert all("ada" not in row.reason for row in found.rows)


def test_without_personal_columns_nothing_is_touched():
    found = table()
    rows = found.rows
    protect(found, {}, {}, "")
    assert found.rows is rows
    assert found.notes == []


@pytest.mark.parametrize("role", ["feature", "target", "weight", "smiles"])
def test_a_hash_is_never_learned_from(role):
    with pytest.raises(InvalidInput, match="is personal and has the role"):
        protect(table(), {"mail": "hash"}, {"mail": role}, "k")
    assert roles_with({"mail": "hash"}, {}) == {"mail": "ignore"}
    assert roles_with({"mail": "hash"}, {"mail": "id"}) == {"mail": "id"}


def test_a_dropped_column_has_no_role():
    with pytest.raises(InvalidInput, match="is personal"):
        protect(table(), {"mail": "drop"}, {"mail": "id"}, "")


def test_a_mistyped_column_is_not_passed_over():
    with pytest.raises(UnknownName) as caught:
        protect(table(), {"mial": "drop"}, {}, "")
    assert "'mail'" in caught.value.problem()["remedy"]
    assert caught.value.errors[0]["pointer"] == "/personal/mial"


def test_the_raw_file_is_sealed_from_then_on(tmp_path):
    inner = MemoryStorage()
    inner.write("raw", b"ada@x.org")
    with pytest.raises(InvalidInput, match="only where blobs are sealed"):
        keep_sealed(inner, "raw")
    old = StorageKey(secret=b"o" * 32)
    with pytest.raises(InvalidInput, match="only where blobs are sealed"):
        keep_sealed(EncryptedStorage(inner, None, [old], plain_folder=tmp_path), "raw")
    store = EncryptedStorage(inner, old, plain_folder=tmp_path)
    keep_sealed(store, "raw")
    assert inner.read("raw").startswith(MAGIC)
    assert store.read("raw") == b"ada@x.org"
    sealed = inner.read("raw")
    keep_sealed(store, "raw")
    assert inner.read("raw") == sealed, "once is enough"


@pytest.mark.parametrize(
    "name", ["email", "E-Mail", "contact_email", "First Name", "last_name", "patient name", "DOB"]
)
def test_columns_that_sound_personal_are_named(name):
    (note,) = suspicions([name], [])
    assert repr(name) in note


def test_columns_of_addresses_are_named_whatever_they_are_called():
    rows = [SourceRow(row=1, cells={"a": f"u{n}@lab.example.org", "b": "x@"}) for n in range(3)]
    assert [note.split()[0] for note in suspicions(["a", "b"], rows)] == ["'a'"]


@pytest.mark.parametrize("name", ["name", "compound_name", "iupac_name", "smiles", "mailing", "id"])
def test_names_of_compounds_are_no_people(name):
    assert suspicions([name], []) == []


def test_workers_of_the_release_before_see_no_new_field():
    assert "personal" not in ReadParams().model_dump(mode="json")
    said = IngestParams(file_id="0" * 32, name="m", personal={"mail": "drop"})
    assert said.model_dump(mode="json")["personal"] == {"mail": "drop"}
