"""Every blob store keeps the port's promises; S3 against a real server process."""

import time

import pytest

from app.core.errors import InvalidInput, NotFound, Retryable
from app.core.settings import Settings
from app.storage.encrypted import EncryptedStorage
from app.storage.local import LocalStorage
from app.storage.memory import MemoryStorage
from app.storage.s3 import S3Storage
from app.storage.sealing import StorageKey
from tests.support.s3 import new_bucket, s3_server
from workers.servers import free_port


@pytest.fixture(scope="module")
def s3_url():
    with s3_server() as url:
        yield url


@pytest.fixture(params=["local", "memory", "s3", "sealed local", "sealed memory", "sealed s3"])
def storage(request, tmp_path):
    kind = request.param.removeprefix("sealed ")
    plain = _plain(kind, request, tmp_path)
    if kind == request.param:
        return plain
    key = StorageKey(secret=b"k" * 32)
    return EncryptedStorage(plain, key, plain_folder=tmp_path / "plain", refuse_plain=True)


def _plain(kind, request, tmp_path):
    if kind == "local":
        return LocalStorage(tmp_path / "blobs")
    if kind == "memory":
        return MemoryStorage()
    url = request.getfixturevalue("s3_url")
    bucket = f"b-{tmp_path.name.replace('_', '-')[:40].lower().strip('-')}"
    settings = Settings(**new_bucket(url, bucket))
    return S3Storage(settings, cache_folder=tmp_path / "cache")


def test_what_is_written_is_read(storage, tmp_path):
    storage.write("a/b.bin", b"bytes")
    (tmp_path / "f").write_bytes(b"of a file")
    storage.write_file("a/c.bin", tmp_path / "f")
    assert storage.read("a/b.bin") == b"bytes"
    assert storage.local_path("a/c.bin").read_bytes() == b"of a file"
    assert storage.size("a/c.bin") == 9
    with storage.open("a/b.bin") as stream:
        assert stream.read(2) == b"by"


def test_a_stream_becomes_a_blob_only_when_it_ends_well(storage):
    with storage.writer("good") as stream:
        stream.write(b"x" * 100_000)
    assert storage.size("good") == 100_000
    with pytest.raises(ZeroDivisionError), storage.writer("bad") as stream:
        stream.write(b"half" * (1 // 0))
    assert not storage.exists("bad")
    assert list(storage.list("")) == ["good"]


def test_a_missing_blob_is_not_found(storage):
    assert not storage.exists("nothing/here")
    for read in (storage.read, storage.local_path, storage.size, storage.open):
        with pytest.raises(NotFound):
            read("nothing/here")
    with pytest.raises(NotFound):
        storage.beginning("nothing/here", 3)


def test_a_range_is_read_from_anywhere(storage):
    """Of a blob of several chunks and of an empty one; only what is asked for."""
    content = bytes(i % 251 for i in range(200_000))
    storage.write("a/long", content)
    storage.write("a/empty", b"")
    assert storage.beginning("a/long", 5) == content[:5]
    assert storage.beginning("a/empty", 5) == b""
    assert (storage.read("a/empty"), storage.size("a/empty")) == (b"", 0)
    with storage.open("a/long") as stream:
        stream.seek(150_000)
        assert stream.read(100) == content[150_000:150_100]
    storage.write("a/long", b"sealed again is written anew")
    assert storage.read("a/long") == b"sealed again is written anew"
    assert storage.local_path("a/long").read_bytes() == b"sealed again is written anew"


def test_lists_are_sorted_and_deletes_are_by_prefix(storage):
    for key in ("m/2/b", "m/1/a", "n/1"):
        storage.write(key, b"x")
    assert list(storage.list("m/")) == ["m/1/a", "m/2/b"]
    assert storage.delete("m/1/") == 1
    assert list(storage.list("")) == ["m/2/b", "n/1"]


def test_the_time_of_writing_is_known(storage):
    before = time.time()
    storage.write("a/b", b"1")
    assert before - 2 <= storage.modified("a/b") <= time.time() + 2
    with pytest.raises(NotFound):
        storage.modified("a/c")


def test_a_store_that_is_not_mounted_is_an_outage_not_a_missing_blob(tmp_path):
    root = tmp_path / "mount"
    store = LocalStorage(root)
    store.write("a/b", b"1")
    root.rename(tmp_path / "away")
    for read in (store.read, store.local_path, store.size, store.modified):
        with pytest.raises(Retryable):
            read("a/b")
    root.write_text("a file where the folder was")
    with pytest.raises(Retryable):
        store.read("a/b")
    with pytest.raises(Retryable):
        store.write("a/c", b"2")


@pytest.mark.parametrize("key", ["../escape", "/etc/passwd", "a/../../b", "", "a//b"])
def test_keys_cannot_leave_the_store(storage, key):
    with pytest.raises(InvalidInput):
        storage.write(key, b"x")


def test_an_unreachable_bucket_is_an_outage():
    settings = Settings(
        s3_bucket="b", s3_endpoint=f"http://127.0.0.1:{free_port()}", s3_key="k", s3_secret="s"
    )
    with pytest.raises(Retryable):
        S3Storage(settings).write("a", b"x")


def test_a_full_disk_is_an_outage(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(Retryable):
        LocalStorage(blocked).write("a/b", b"x")
