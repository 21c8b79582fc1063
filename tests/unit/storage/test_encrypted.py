"""The wrapper that seals: nothing plain in the store below, rotation, and what was there before."""

import pytest

from app.core.settings import Settings
from app.storage import EncryptedStorage, build_storage
from app.storage.local import LocalStorage
from app.storage.memory import MemoryStorage
from app.storage.sealing import DamagedBlob, StorageKey
from workers.encrypt import main, seal_all

NEW = StorageKey(secret=b"n" * 32)
OLD = StorageKey(secret=b"o" * 32)
SECRET = b"smiles,owner\nCCO,Ada Lovelace\n" * 10_000
pytestmark = pytest.mark.req("S1-41", "goal-95")


@pytest.fixture
def make(tmp_path):
    def made(inner, key, *old, **options):
        return EncryptedStorage(inner, key, old, plain_folder=tmp_path / "plain", **options)

    return made


def test_nothing_plain_reaches_the_store(make, tmp_path):
    inner = LocalStorage(tmp_path / "blobs")
    store = make(inner, NEW)
    store.write("a/b", SECRET)
    (tmp_path / "f").write_bytes(SECRET)
    store.write_file("a/c", tmp_path / "f")
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file():
            assert b"Lovelace" not in path.read_bytes()
    assert store.read("a/b") == store.read("a/c") == SECRET


def test_opened_copies_are_closed_to_others_and_go_with_the_blob(make, tmp_path):
    store = make(MemoryStorage(), NEW)
    store.write("a/b", SECRET)
    path = store.local_path("a/b")
    assert path.read_bytes() == SECRET
    assert (tmp_path / "plain").stat().st_mode & 0o077 == 0
    store.delete("a/")
    assert not path.exists()


def test_keys_change_and_old_blobs_are_still_read(make):
    inner = MemoryStorage()
    make(inner, OLD).write("a", SECRET)
    inner.write("before", b"plain")
    store = make(inner, NEW, OLD)
    store.write("b", b"new")
    assert (store.read("a"), store.read("b"), store.read("before")) == (SECRET, b"new", b"plain")
    assert store.size("before") == 5
    with pytest.raises(DamagedBlob, match=r"not here"):
        make(inner, NEW).read("a")


def test_the_command_seals_what_is_there(make):
    inner = MemoryStorage()
    make(inner, OLD).write("a", SECRET)
    inner.write("before", b"plain")
    store = make(inner, NEW, OLD)
    store.write("b", b"new")
    store.local_path("a")
    would = sorted(seal_all(store, dry_run=True))
    assert would == [("right", "b"), ("sealed", "a"), ("sealed", "before")]
    assert inner.read("before") == b"plain"
    assert len(list(seal_all(store))) == 3
    assert {outcome for outcome, _ in seal_all(store)} == {"right"}
    alone = make(inner, NEW, refuse_plain=True)
    assert (alone.read("a"), alone.read("before")) == (SECRET, b"plain")
    assert b"Lovelace" not in inner.read("a")


def test_without_a_key_it_opens_again(make):
    inner = MemoryStorage()
    make(inner, OLD).write("a", SECRET)
    assert {outcome for outcome, _ in seal_all(make(inner, None, OLD))} == {"sealed"}
    assert inner.read("a") == SECRET


def test_a_blob_that_cannot_be_opened_is_named_and_left(make):
    inner = MemoryStorage()
    make(inner, OLD).write("a", SECRET)
    before = inner.read("a")
    (found,) = seal_all(make(inner, NEW))
    assert found[0] == "failed"
    assert inner.read("a") == before


def test_what_is_plain_can_be_refused(make):
    inner = MemoryStorage()
    inner.write("a", b"put there by somebody")
    store = make(inner, NEW, refuse_plain=True)
    for read in (store.read, store.open, store.local_path, store.size):
        with pytest.raises(DamagedBlob, match="not sealed"):
            read("a")


def test_the_settings_decide(tmp_path):
    key = "bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm4="
    assert isinstance(build_storage(Settings(storage_root=tmp_path)), LocalStorage)
    for said in ({"storage_key": key}, {"storage_old_keys": key}):
        store = build_storage(Settings(storage_root=tmp_path, **said))
        assert isinstance(store, EncryptedStorage)


def test_the_command_reads_the_environment(tmp_path, monkeypatch, capsys):
    from app.core.settings import get_settings

    LocalStorage(tmp_path / "blobs").write("a/b", SECRET)
    monkeypatch.setenv("RETORT_STORAGE_ROOT", str(tmp_path / "blobs"))
    get_settings.cache_clear()
    assert main([]) == 2
    (tmp_path / "key").write_text("bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm4=\n")
    monkeypatch.setenv("RETORT_STORAGE_KEY_FILE", str(tmp_path / "key"))
    get_settings.cache_clear()
    assert main([]) == 0
    assert capsys.readouterr().out == "1 blobs sealed anew, 0 were right, 0 failed\n"
    assert b"Lovelace" not in (tmp_path / "blobs/a/b").read_bytes()
    get_settings.cache_clear()
