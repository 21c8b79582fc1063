"""Files: parts that survive a break, reuse of what is there, downloads that go on."""

import hashlib
import io
import os
import stat
import threading

import httpx
import pytest

from retort import ConnectionFailed, HashMismatch, Retort
from retort.testing import FakeRetort, FakeServer

MIB = 1 << 20
#: two and a half parts
BODY = bytes(range(256)) * (5 * MIB // 2 // 256)
pytestmark = pytest.mark.req("goal-18")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(BODY)
    return path


def parts_sent(server):
    return [call for call in server.calls if call.startswith("PUT")]


def test_a_large_file_goes_in_parts_with_progress(path):
    client, told = FakeRetort(), []
    file = client.files.upload(path, progress=lambda *at: told.append(at), resumable_above=MIB)
    assert file.sha256 == hashlib.sha256(BODY).hexdigest()
    assert len(parts_sent(client.server)) == 3
    assert told[:3] == [(MIB, len(BODY)), (2 * MIB, len(BODY)), (len(BODY), len(BODY))]
    assert client.files.content(file) == BODY


def test_after_a_break_only_what_is_missing_is_sent(path):
    server = FakeServer()
    first = FakeRetort(server, attempts=1)
    calls = iter([None, None, httpx.WriteError("the line broke")])
    handle = server.handle_request

    def breaking(request):
        trouble = (
            next(calls, None) if request.method == "PUT" or "uploads" in str(request.url) else None
        )
        if trouble is not None:
            raise trouble
        return handle(request)

    server.handle_request = breaking
    with pytest.raises(ConnectionFailed):
        first.files.upload(path, resumable_above=MIB)
    server.handle_request = handle
    (waiting,) = first.files.uploads.list()
    assert [part["number"] for part in waiting["parts"]] == [1]
    server.calls.clear()
    file = FakeRetort(server).files.upload(path, resumable_above=MIB)
    assert len(parts_sent(server)) == 2
    assert FakeRetort(server).files.content(file) == BODY
    assert list(first.files.uploads.list()) == []


def test_a_content_that_is_there_is_not_sent(path):
    client = FakeRetort()
    first = client.files.upload(path, resumable_above=MIB)
    client.server.calls.clear()
    assert client.files.upload(path, resumable_above=MIB).id == first.id
    assert client.server.calls == ["POST /api/v1/files/uploads"]


def test_an_upload_may_be_given_up(path):
    client = FakeRetort()
    body = {"name": "large.bin", "size": len(BODY), "sha256": "0" * 64}
    upload = client.transport.json("POST", "/files/uploads", json=body)
    assert client.files.uploads.get(upload)["state"] == "open"
    client.files.uploads.abort(upload)
    assert list(client.files.uploads.list()) == []


def test_a_small_file_tells_its_progress_and_is_sent_whole_again(tmp_path):
    small = tmp_path / "s.csv"
    small.write_bytes(b"smiles\nCCO\n")
    client, told = FakeRetort(), []
    client.server.trouble_next(503)
    file = client.files.upload(small, progress=lambda *at: told.append(at))
    assert client.files.content(file) == small.read_bytes()
    assert told[-1] == (11, 11)


class Breaking(httpx.SyncByteStream):
    def __init__(self, content):
        self.content = content

    def __iter__(self):
        yield self.content
        raise httpx.ReadError("the line broke")


SHA256 = hashlib.sha256(BODY).hexdigest()


def downloading(*, ranges, sha256=SHA256):
    """A server whose line breaks after a megabyte, once; with ranges or without."""
    asked = []

    def handle(request):
        if not request.url.path.endswith("/content"):
            return httpx.Response(200, json={"id": "f", "size": len(BODY), "sha256": sha256})
        asked.append(request.headers.get("range"))
        if len(asked) == 1:
            return httpx.Response(200, stream=Breaking(BODY[:MIB]))
        begin = int(request.headers["range"].removeprefix("bytes=").rstrip("-")) if ranges else 0
        return httpx.Response(206 if ranges else 200, content=BODY[begin:])

    client = Retort("http://x", "k", transport=httpx.MockTransport(handle))
    client.transport.sleep = lambda _: None
    return client, asked


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("to_path", [True, False])
def test_a_broken_download_goes_on(tmp_path, ranges, to_path):
    client, asked = downloading(ranges=ranges)
    target = tmp_path / "back.bin" if to_path else io.BytesIO()
    told = []
    client.files.download("f", target, progress=lambda *at: told.append(at))
    found = target.read_bytes() if to_path else target.getvalue()
    assert found == BODY
    assert asked == [None, f"bytes={MIB}-"]
    assert told[-1] == (len(BODY), len(BODY))


def test_altered_bytes_are_noticed_and_leave_the_target_alone(tmp_path):
    client, _ = downloading(ranges=True, sha256="0" * 64)
    target = tmp_path / "back.bin"
    target.write_text("what was there")
    with pytest.raises(HashMismatch):
        client.files.download("f", target)
    assert target.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [target]


def test_what_is_no_plain_file_is_written_into_and_never_replaced(path, tmp_path):
    """A device such as /dev/null must stay one, whoever downloads to it as root."""
    client = FakeRetort()
    file = client.files.upload(path)
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    client.files.download(file, pipe)
    reader.join(timeout=20)
    assert got == [BODY]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["large.bin", "pipe"]


def test_a_link_stays_a_link(path, tmp_path):
    client = FakeRetort()
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    client.files.download(client.files.upload(path), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == BODY
