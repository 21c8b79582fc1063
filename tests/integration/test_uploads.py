"""Uploads in parts: every order, twice, side by side, over the death of the gateway."""

import asyncio
import hashlib
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

import httpx
import psutil
import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from api.middleware import BodyLimit
from app.access.keys import create_key
from app.core.errors import Retryable
from app.core.settings import Settings
from app.db.projects import ProjectRow
from app.files import complete as completing
from app.files.clean_up import clean_up_uploads, forget_lost_parts
from app.files.layout import MAX_PARTS, largest_part, part_bytes_for, part_count, part_size
from app.integrity.blobs import missing_blobs, remove_unseen, unseen_blobs
from app.storage import keys
from tests.support.gateway import calling
from workers.child import Child
from workers.embedded.home import SOURCE
from workers.processes import Shape, processes
from workers.servers import free_port

PART = 1024
pytestmark = pytest.mark.req("goal-18")


def problem(response, status, code):
    assert response.status_code == status, response.text
    body = response.json()
    assert body["code"] == code
    assert body["remedy"]
    return body


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setenv("RETORT_UPLOAD_PART_BYTES", str(PART))


@pytest.fixture
def api(small_parts, resources):
    with calling(resources) as client:
        yield client


def content(parts=4, seed=0, last=100):
    return random.Random(seed).randbytes((parts - 1) * PART + last)


def begin(api, data, name="mols.csv", **fields):
    answer = api.post("files/uploads", json={"name": name, "size": len(data), **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1/files/uploads/{answer.json()['id']}"
    return answer.json()


def cut(data, upload):
    size = upload["part_bytes"]
    return {n + 1: data[n * size : (n + 1) * size] for n in range(upload["part_count"])}


def put(api, upload, number, block, **headers):
    return api.put(f"files/uploads/{upload['id']}/parts/{number}", content=block, headers=headers)


def finish(api, upload):
    return api.post(f"files/uploads/{upload['id']}/complete")


def download(api, file):
    return api.get(f"files/{file['id']}/content").content


# ---- the way it goes


def test_parts_in_any_order_become_the_file(api, resources):
    data = content()
    upload = begin(api, data, sha256=sha(data), media_type="text/csv")
    assert (upload["state"], upload["parts"], upload["part_count"]) == ("open", [], 4)
    assert upload["part_bytes"] == PART
    for number, block in sorted(cut(data, upload).items(), key=lambda item: -item[0]):
        answer = put(api, upload, number, block, **{"X-Part-SHA256": sha(block)})
        assert answer.status_code == 200
        assert answer.json() == {"number": number, "size": len(block), "sha256": sha(block)}
    seen = api.get(f"files/uploads/{upload['id']}").json()
    assert [part["number"] for part in seen["parts"]] == [1, 2, 3, 4]
    done = finish(api, upload)
    assert done.status_code == 201
    file = done.json()
    assert done.headers["location"] == f"/api/v1/files/{file['id']}"
    assert (file["size"], file["sha256"], file["name"]) == (len(data), sha(data), "mols.csv")
    assert download(api, file) == data
    again = finish(api, upload)
    assert (again.status_code, again.json()) == (200, file)
    after = api.get(f"files/uploads/{upload['id']}").json()
    assert (after["state"], after["file"]["id"]) == ("completed", file["id"])
    assert list(resources.storage.list("parts/")) == []


def test_an_undeclared_hash_is_found(api):
    data = content()
    upload = begin(api, data)
    for number, block in cut(data, upload).items():
        put(api, upload, number, block)
    file = finish(api, upload).json()
    assert file["sha256"] == sha(data)
    assert download(api, file) == data


def test_what_the_project_has_is_not_sent_again(api, resources):
    data = content()
    first = api.post("files", files={"file": ("a.csv", data)}).json()
    answer = api.post(
        "files/uploads", json={"name": "b", "size": len(data), "sha256": sha(data).upper()}
    )
    assert answer.status_code == 200
    assert answer.json()["state"] == "completed"
    assert answer.json()["file"]["id"] == first["id"]
    with resources.database.session() as session:
        project = ProjectRow(name="other")
        session.add(project)
        session.flush()
        key = create_key(session, name="stranger", project_id=project.id)
    stranger = {"Authorization": f"Bearer {key.text}"}
    body = {"name": "b", "size": len(data), "sha256": sha(data)}
    other = api.post("files/uploads", json=body, headers=stranger)
    assert other.status_code == 201, "whoever knows a hash has not shown that it has the bytes"
    theirs = other.json()
    problem(api.get(f"files/uploads/{theirs['id']}"), 404, "not_found")
    problem(put(api, theirs, 1, data[:PART]), 404, "not_found")
    problem(finish(api, theirs), 404, "not_found")
    problem(api.delete(f"files/uploads/{theirs['id']}"), 404, "not_found")


def test_the_same_upload_begun_again_goes_on(api):
    data = content()
    upload = begin(api, data, sha256=sha(data))
    put(api, upload, 2, cut(data, upload)[2])
    body = {"name": "mols.csv", "size": len(data), "sha256": sha(data)}
    again = api.post("files/uploads", json=body)
    assert again.status_code == 200
    assert again.json()["id"] == upload["id"]
    assert [part["number"] for part in again.json()["parts"]] == [2]
    assert begin(api, data)["id"] != upload["id"], "without a hash nobody knows"


def test_a_part_again_and_with_other_bytes(api, resources):
    data = content()
    upload = begin(api, data, sha256=sha(data))
    blocks = cut(data, upload)
    put(api, upload, 1, bytes(PART))
    put(api, upload, 1, blocks[1])  # replaces
    put(api, upload, 1, blocks[1])  # changes nothing
    assert len(list(resources.storage.list("parts/"))) == 1
    for number in (2, 3, 4):
        put(api, upload, number, blocks[number])
    file = finish(api, upload).json()
    assert download(api, file) == data
    # a repeated request that comes late
    assert put(api, upload, 2, blocks[2]).status_code == 200
    problem(put(api, upload, 2, bytes(PART)), 409, "upload_completed")
    assert list(resources.storage.list("parts/")) == []


# ---- refusals


def test_what_is_missing_is_named(api):
    data = content()
    upload = begin(api, data, sha256=sha(data))
    put(api, upload, 3, cut(data, upload)[3])
    found = problem(finish(api, upload), 422, "upload_incomplete")
    assert [e["pointer"] for e in found["errors"]] == ["/parts/1", "/parts/2", "/parts/4"]


def test_another_file_than_declared_is_refused_and_mended(api, resources):
    data = content()
    upload = begin(api, data, sha256=sha(data))
    blocks = cut(data, upload)
    for number, block in (blocks | {2: bytes(PART)}).items():
        put(api, upload, number, block)
    problem(finish(api, upload), 422, "hash_mismatch")
    assert api.get("files").json()["items"] == []
    assert list(resources.storage.list("uploads/")) == []
    put(api, upload, 2, blocks[2])
    assert finish(api, upload).status_code == 201


def test_a_damaged_part_is_refused(api, resources):
    data = content()
    upload = begin(api, data)
    wrong = put(api, upload, 1, data[:PART], **{"X-Part-SHA256": "0" * 64})
    problem(wrong, 422, "hash_mismatch")
    problem(put(api, upload, 1, data[: PART - 1]), 422, "wrong_part_size")
    problem(put(api, upload, 4, data[:PART]), 422, "wrong_part_size")
    problem(put(api, upload, 5, data[:PART]), 422, "no_such_part")
    problem(put(api, upload, 0, data[:PART]), 422, "invalid_request")
    problem(put(api, upload, 1, b"x", **{"X-Part-SHA256": "zz"}), 422, "invalid_request")

    def chunked(size):
        yield from (b"x" for _ in range(size))

    problem(put(api, upload, 1, chunked(PART - 1)), 422, "wrong_part_size")
    problem(put(api, upload, 1, chunked(PART + 1)), 413, "payload_too_large")
    assert list(resources.storage.list("parts/")) == []
    assert api.get(f"files/uploads/{upload['id']}").json()["parts"] == []


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "files", 100_000),
        ("PUT", "files/uploads/019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00/parts/12", 5_000),
        ("POST", "files/uploads/019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00/parts/12", 2_000),
        ("PUT", "files/uploads/019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00/parts/12/x", 2_000),
        ("PUT", "files/uploads/../parts/1", 2_000),
        ("POST", "files/uploads", 2_000),
        ("POST", "jobs", 2_000),
    ],
)
def test_only_the_path_of_a_part_takes_large_bodies(method, path, limit):
    settings = Settings(max_body_bytes=2_000, max_upload_bytes=100_000, upload_part_bytes=5_000)
    taken = []

    async def app(scope, receive, send):
        while True:
            message = await receive()
            taken.append(len(message["body"]))
            if not message["more_body"]:
                return

    async def receive():
        return {"type": "http.request", "body": bytes(500), "more_body": sum(taken) < 200_000}

    scope = {"type": "http", "method": method, "path": f"/api/v1/{path}"}
    with pytest.raises(HTTPException) as caught:
        asyncio.run(BodyLimit(app, settings, api_path="/api/v1")(scope, receive, None))
    assert caught.value.status_code == 413
    assert sum(taken) == limit


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "a", "size": 0}, 422, "empty_file"),
        ({"name": "a", "size": 1 << 50}, 413, "payload_too_large"),
        ({"name": "a", "size": -1}, 422, "invalid_request"),
        ({"name": "", "size": 1}, 422, "invalid_request"),
        ({"name": "a", "size": 1, "sha256": "12"}, 422, "invalid_request"),
        ({"name": "a", "size": 1, "media_type": "a/b\r\nX: y"}, 422, "invalid_request"),
        ({"name": "a", "size": 1, "surprise": 1}, 422, "invalid_request"),
    ],
)
def test_bad_beginnings(api, body, status, code):
    problem(api.post("files/uploads", json=body), status, code)


def test_names_are_made_safe(api):
    upload = begin(api, b"x", name="../../etc/pass\nwd")
    assert upload["name"] == "pass_wd"


def test_open_uploads_are_bounded_and_listed(monkeypatch, small_parts, retort_environment):
    from api.main import create_api
    from app.resources import get_resources

    monkeypatch.setenv("RETORT_MAX_OPEN_UPLOADS", "3")
    resources = get_resources()
    with TestClient(create_api(resources), base_url="http://retort/api/v1/") as api:
        with resources.database.session() as session:
            api.headers["Authorization"] = f"Bearer {create_key(session, name='test').text}"
        uploads = [begin(api, content(seed=n)) for n in range(3)]
        refused = api.post("files/uploads", json={"name": "a", "size": 5})
        assert problem(refused, 429, "too_many_uploads")["retryable"]
        assert int(refused.headers["retry-after"]) > 0
        first = api.get("files/uploads", params={"limit": 2}).json()
        rest = api.get("files/uploads", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        listed = [item["id"] for item in first["items"] + rest["items"]]
        assert listed == [upload["id"] for upload in reversed(uploads)]
        assert api.delete(f"files/uploads/{uploads[0]['id']}").status_code == 204
        problem(api.get(f"files/uploads/{uploads[0]['id']}"), 404, "not_found")
        begin(api, content())
    resources.database.dispose()


# ---- blobs and rows agree


def test_giving_up_removes_the_parts(api, resources):
    data = content()
    upload = begin(api, data)
    put(api, upload, 1, data[:PART])
    assert api.delete(f"files/uploads/{upload['id']}").status_code == 204
    assert list(resources.storage.list("parts/")) == []


def test_the_clean_up_forgets_old_uploads_and_no_other(api, resources):
    data = content()
    old, young = begin(api, data), begin(api, data)
    for upload in (old, young):
        put(api, upload, 1, data[:PART])
    orphan = keys.part(UUID(young["id"]), 2, "orphan")  # its gateway died before the note
    resources.storage.write(orphan, b"x")
    with resources.database.cursor() as cursor:
        cursor.execute(
            "UPDATE uploads SET expires_at = now() - interval '1 s' WHERE id = %s", (old["id"],)
        )
    problem(api.get("files/uploads", params={"cursor": "!"}), 422, "invalid_cursor")
    cleaned = clean_up_uploads(resources.database, resources.storage)
    assert cleaned == {"uploads": 1, "part_blobs": 1}
    problem(api.get(f"files/uploads/{old['id']}"), 404, "not_found")
    assert unseen_blobs(resources.database, resources.storage) == [orphan]
    assert remove_unseen(resources.database, resources.storage, older_than=0) == 1
    assert missing_blobs(resources.database, resources.storage) == []
    for number, block in cut(data, young).items():
        put(api, young, number, block)
    assert finish(api, young).status_code == 201


def test_the_tasks_clean_up_includes_uploads(api, resources, caplog):
    from tasks.maintenance import clean_up
    from workers.rounds import _ran_at

    upload = begin(api, content())
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE uploads SET expires_at = now() - interval '1 s'")
    _ran_at.clear()
    clean_up()
    problem(api.get(f"files/uploads/{upload['id']}"), 404, "not_found")


def test_a_part_keeps_its_upload_alive(api, resources):
    data = content()
    upload = begin(api, data)
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE uploads SET expires_at = now() + interval '1 s'")
    put(api, upload, 1, data[:PART])
    assert api.get(f"files/uploads/{upload['id']}").json()["expires_at"] >= upload["expires_at"]


@pytest.mark.parametrize("damage", ["gone", "altered"])
def test_a_lost_part_is_asked_for_again(api, resources, damage):
    data = content()
    upload = begin(api, data)
    for number, block in cut(data, upload).items():
        put(api, upload, number, block)
    (key,) = resources.storage.list(f"parts/{upload['id']}/3-")
    if damage == "gone":
        resources.storage.delete(key)
        assert [v.rule for v in missing_blobs(resources.database, resources.storage)] == ["uploads"]
    else:
        resources.storage.write(key, bytes(PART))
    found = problem(finish(api, upload), 422, "upload_incomplete")
    assert [e["pointer"] for e in found["errors"]] == ["/parts/3"]
    put(api, upload, 3, cut(data, upload)[3])
    assert download(api, finish(api, upload).json()) == data


def test_after_a_restore_lost_parts_are_to_be_sent(api, resources):
    data = content()
    upload = begin(api, data)
    for number, block in cut(data, upload).items():
        put(api, upload, number, block)
    (key,) = resources.storage.list(f"parts/{upload['id']}/2-")
    resources.storage.delete(key)
    assert forget_lost_parts(resources.database, resources.storage) == 1
    seen = api.get(f"files/uploads/{upload['id']}").json()["parts"]
    assert [part["number"] for part in seen] == [1, 3, 4]
    assert missing_blobs(resources.database, resources.storage) == []


def test_a_completion_that_dies_is_done_again(api, resources, monkeypatch):
    data = content()
    upload = begin(api, data, sha256=sha(data))
    for number, block in cut(data, upload).items():
        put(api, upload, number, block)

    def dies(*_):
        raise Retryable("the machine stopped")

    with monkeypatch.context() as patch:
        patch.setattr(completing, "_publish", dies)
        problem(finish(api, upload), 503, "temporary_failure")
    assert list(resources.storage.list("uploads/")), "it died after the blob was written"
    assert api.get("files").json()["items"] == []
    assert download(api, finish(api, upload).json()) == data


def test_two_completions_at_once_make_one_file(api, resources, monkeypatch):
    data = content()
    upload = begin(api, data)
    for number, block in cut(data, upload).items():
        put(api, upload, number, block)
    inside, go_on = threading.Event(), threading.Event()
    publish = completing._publish

    def slow(*arguments):
        inside.set()
        assert go_on.wait(30)
        return publish(*arguments)

    monkeypatch.setattr(completing, "_publish", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(finish, api, upload)
        assert inside.wait(30)
        busy = finish(api, upload)
        problem(busy, 409, "upload_busy")
        assert busy.headers["retry-after"]
        go_on.set()
        assert first.result().status_code == 201
    assert len(api.get("files").json()["items"]) == 1


def test_a_part_replaced_during_the_completion_is_not_lost(api, monkeypatch):
    data = content()
    upload = begin(api, data)
    blocks = cut(data, upload)
    for number, block in (blocks | {2: bytes(PART)}).items():
        put(api, upload, number, block)
    publish = completing._publish

    def meanwhile(*arguments):
        assert put(api, upload, 2, blocks[2]).status_code == 200
        return publish(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(completing, "_publish", meanwhile)
        problem(finish(api, upload), 409, "upload_changed")
    assert download(api, finish(api, upload).json()) == data


def test_layout():
    settings = Settings(max_upload_bytes=100 << 30)
    for size in (1, 8 << 20, (8 << 20) + 1, 5 << 30, (50 << 30) + 7, 100 << 30):
        part = part_bytes_for(size, settings)
        count = part_count(size, part)
        assert count <= MAX_PARTS
        assert part <= largest_part(settings)
        assert sum(part_size(size, part, n + 1) for n in range(count)) == size
        assert part_size(size, part, count) > 0
    assert part_bytes_for(5 << 30, settings) == 8 << 20


# ---- downloads that go on


def test_a_download_goes_on_where_it_stopped(api):
    data = content(parts=3000)
    file = api.post("files", files={"file": ("a.bin", data)}).json()
    url = f"files/{file['id']}/content"

    def get(value, **headers):
        return api.get(url, headers={"Range": value, **headers})

    whole = api.get(url)
    assert (whole.headers["accept-ranges"], whole.status_code) == ("bytes", 200)
    half = len(data) // 2
    for value, expected in (
        (f"bytes={half}-", data[half:]),
        ("bytes=0-0", data[:1]),
        (f"bytes=5-{len(data) + 99}", data[5:]),
        ("bytes=-7", data[-7:]),
        (f"bytes=-{len(data) * 2}", data),
    ):
        answer = get(value)
        assert answer.status_code == 206
        assert answer.content == expected
        start = (
            len(data) - len(expected)
            if value.startswith("bytes=-")
            else int(value[6:].split("-")[0])
        )
        stop = start + len(expected) - 1
        assert answer.headers["content-range"] == f"bytes {start}-{stop}/{len(data)}"
    for value in ("bytes=0-1,3-4", "rows=1-2", "bytes=-", "bytes=9-3"):
        assert get(value).status_code == 200
    past = get(f"bytes={len(data)}-")
    problem(past, 416, "range_not_satisfiable")
    assert past.headers["content-range"] == f"bytes */{len(data)}"
    problem(get("bytes=-0"), 416, "range_not_satisfiable")
    assert get("bytes=1-1", **{"If-Range": whole.headers["etag"]}).status_code == 206
    assert get("bytes=1-1", **{"If-Range": '"older"'}).content == data
    head = api.head(url)
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(data))
    assert head.headers["etag"] == f'"{sha(data)}"'
    assert head.content == b""


# ---- the real process


class Gateway:
    """The product's gateway process, with a client that speaks to it."""

    def __init__(self, environment, folder, key):
        self.port = free_port()
        self.log = folder / f"gateway-{self.port}.log"
        (spec,) = [s for s in processes(Shape(gateway_port=self.port)) if s.name == "gateway"]
        words = [sys.executable if word == "python" else word for word in spec.command]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("RETORT_")}
        self._start = lambda: Child(
            words, log=self.log, cwd=SOURCE, env={**clean, **environment, **spec.environment}
        )
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1/",
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
        )
        self.start()

    def start(self):
        self.child = self._start()
        for _ in range(600):
            try:
                if self.client.get("jobs").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def kill(self):
        self.child.kill()


@pytest.fixture
def gateways(resources, retort_environment, tmp_path):
    with resources.database.session() as session:
        key = create_key(session, name="test").text
    started = []

    def start(**settings):
        environment = {**retort_environment, **settings}
        started.append(Gateway(environment, tmp_path, key))
        return started[-1]

    yield start
    for gateway in started:
        gateway.client.close()
        gateway.kill()


@pytest.mark.slow
def test_a_killed_gateway_loses_no_part_that_it_acknowledged(gateways, resources):
    part = 256 << 10
    gateway = gateways(RETORT_UPLOAD_PART_BYTES=str(part))
    data = random.Random(3).randbytes(40 * part + 17)
    upload = begin(gateway.client, data, sha256=sha(data))
    blocks = cut(data, upload)
    acknowledged = set()
    dice = random.Random(4)
    for last in (7, 19, 30):
        numbers = [n for n in blocks if n not in acknowledged]
        dice.shuffle(numbers)

        def send(number, last=last):
            if _try_put(gateway, upload, number, blocks[number]):
                acknowledged.add(number)
                if len(acknowledged) == last:
                    gateway.kill()  # while the others are on their way

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(send, numbers))
        assert last <= len(acknowledged) < len(blocks)
        gateway.start()
        seen = gateway.client.get(f"files/uploads/{upload['id']}").json()
        assert acknowledged <= {entry["number"] for entry in seen["parts"]}
        assert missing_blobs(resources.database, resources.storage) == []
    for number in blocks.keys() - acknowledged:
        assert put(gateway.client, upload, number, blocks[number]).status_code == 200
    file = finish(gateway.client, upload).json()
    assert sha(download(gateway.client, file)) == sha(data)
    clean_up_uploads(resources.database, resources.storage)
    assert unseen_blobs(resources.database, resources.storage) == []


def _try_put(gateway, upload, number, block):
    try:
        answer = put(gateway.client, upload, number, block)
    except httpx.TransportError:
        return False
    return answer.status_code == 200


@pytest.mark.slow
def test_a_gateway_killed_while_it_completes(gateways, resources):
    gateway = gateways()
    part = 8 << 20
    data = random.Random(5).randbytes(part) * 20 + b"end"
    upload = begin(gateway.client, data)
    for number, block in cut(data, upload).items():
        put(gateway.client, upload, number, block)
    for delay in (0.05, 0.3):
        timer = threading.Timer(delay, gateway.kill)
        timer.start()
        with suppress(httpx.TransportError):
            finish(gateway.client, upload)
        timer.join()
        gateway.start()
        assert len(gateway.client.get("files").json()["items"]) <= 1
    file = _complete_patiently(gateway.client, upload)
    assert file["sha256"] == sha(data)
    assert len(gateway.client.get("files").json()["items"]) == 1
    clean_up_uploads(resources.database, resources.storage)
    assert unseen_blobs(resources.database, resources.storage) == []
    assert missing_blobs(resources.database, resources.storage) == []


def _complete_patiently(client, upload):
    """The database notices the death of the one before within moments."""
    for _ in range(100):
        answer = finish(client, upload)
        if answer.status_code in (200, 201):
            return answer.json()
        problem(answer, 409, "upload_busy")
        time.sleep(0.2)
    raise AssertionError(answer.text)


@pytest.mark.slow
def test_several_gateways_take_parts_of_one_upload(gateways):
    settings = {"RETORT_UPLOAD_PART_BYTES": str(64 << 10)}
    two = [gateways(**settings), gateways(**settings)]
    data = random.Random(6).randbytes(60 * (64 << 10))
    upload = begin(two[0].client, data, sha256=sha(data))
    sendings = [(n, block, g) for n, block in cut(data, upload).items() for g in (0, 1)]
    random.Random(7).shuffle(sendings)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda s: put(two[s[2]].client, upload, s[0], s[1]), sendings))
    assert {answer.status_code for answer in answers} == {200}
    file = finish(two[1].client, upload).json()
    assert sha(download(two[0].client, file)) == sha(data)


@pytest.mark.slow
def test_300_megabytes_take_little_memory(gateways):
    gateway = gateways()
    block = random.Random(8).randbytes(8 << 20)
    size = 300 * 10**6
    digest = hashlib.sha256()
    full, rest = divmod(size, len(block))
    for _ in range(full):
        digest.update(block)
    digest.update(block[:rest])
    answer = gateway.client.post(
        "files/uploads", json={"name": "big", "size": size, "sha256": digest.hexdigest()}
    )
    upload = answer.json()
    process = psutil.Process(gateway.child.pid)
    put(gateway.client, upload, 1, block)  # what every first request loads
    before = process.memory_info().rss
    worst = before
    with ThreadPoolExecutor(3) as pool:
        blocks = [block] * full + [block[:rest]]
        jobs = [pool.submit(put, gateway.client, upload, n + 1, b) for n, b in enumerate(blocks)]
        jobs.append(pool.submit(lambda: [j.result() for j in jobs[:-1]]))
        while not all(job.done() for job in jobs):
            worst = max(worst, process.memory_info().rss)
            time.sleep(0.01)
        finishing = pool.submit(finish, gateway.client, upload)
        while not finishing.done():
            worst = max(worst, process.memory_info().rss)
            time.sleep(0.01)
    assert finishing.result().status_code == 201, finishing.result().text
    print(f"RSS grew by {(worst - before) / 2**20:.1f} MiB")
    assert worst - before < 50 << 20
