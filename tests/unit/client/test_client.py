"""The client against a scripted server: patience, one key per request, streams that resume."""

import json

import httpx
import pytest
from typer.testing import CliRunner

from retort import (
    ConnectionFailed,
    InvalidRequest,
    JobFailed,
    NotFound,
    Retort,
    RetortError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from retort.cli.app import app
from retort.cli.options import settings
from retort.config import find_config
from retort.stream import Event, parse
from retort.tables import slug

JOB = {"id": "j1", "kind": "train", "state": "succeeded", "error": None}
PROBLEM = {"code": "invalid_input", "detail": "no", "remedy": "mend it", "errors": []}


@pytest.fixture
def scripted(monkeypatch):
    """A client whose server answers from a list; what was asked is recorded."""
    monkeypatch.setenv("RETORT_URL", "http://retort")
    monkeypatch.setenv("RETORT_API_KEY", "rt_x")

    def make(*answers):
        asked, left = [], list(answers)

        def handle(request):
            request.read()
            asked.append(request)
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        client = Retort(transport=httpx.MockTransport(handle))
        client.transport.sleep = slept.append
        return client, asked

    slept = []
    make.slept = slept
    return make


def test_the_key_and_the_base_path_are_sent(scripted):
    client, asked = scripted(httpx.Response(202, json=JOB))
    client.train("esol", targets=["y"])
    assert str(asked[0].url) == "http://retort/api/v1/jobs"
    assert asked[0].headers["authorization"] == "Bearer rt_x"
    assert json.loads(asked[0].content) == {
        "kind": "train",
        "params": {"dataset": "esol", "targets": ["y"]},
    }


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(503, json=PROBLEM, headers={"Retry-After": "2"}),
        httpx.Response(429, json=PROBLEM, headers={"Retry-After": "2"}),
        httpx.Response(409, json=PROBLEM | {"code": "idempotency_in_progress"}),
        httpx.Response(502, text="<html>bad gateway</html>"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
    ids=["503", "429", "409", "502", "refused", "timeout"],
)
def test_a_retry_repeats_the_idempotency_key(scripted, trouble):
    client, asked = scripted(trouble, trouble, httpx.Response(202, json=JOB))
    assert client.train("esol") == JOB
    keys = {request.headers["idempotency-key"] for request in asked}
    assert len(asked) == 3
    assert len(keys) == 1
    if isinstance(trouble, httpx.Response) and "retry-after" in trouble.headers:
        assert scripted.slept == [2.0, 2.0]


def test_a_queue_that_stays_full_is_told_in_the_end(scripted):
    full = httpx.Response(429, json=PROBLEM, headers={"Retry-After": "10"})
    client, asked = scripted(*[full] * 6)
    with pytest.raises(TooManyRequests):
        client.train("esol")
    assert len(asked) == 6
    assert scripted.slept == [10.0] * 5


def test_two_requests_have_two_keys(scripted):
    client, asked = scripted(httpx.Response(202, json=JOB))
    client.train("esol")
    client.train("esol")
    assert len({request.headers["idempotency-key"] for request in asked}) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Unauthorized), (404, NotFound), (422, InvalidRequest), (409, InvalidRequest)],
)
def test_a_mistake_is_told_at_once(scripted, status, kind):
    client, asked = scripted(httpx.Response(status, json=PROBLEM))
    with pytest.raises(kind) as raised:
        client.train("esol")
    assert raised.value.remedy == "mend it"
    assert raised.value.code == "invalid_input"
    assert len(asked) == 1


def test_patience_ends(scripted):
    client, asked = scripted(httpx.ConnectError("refused"))
    with pytest.raises(ConnectionFailed) as raised:
        client.train("esol")
    assert "make up" in raised.value.remedy
    assert len(asked) == 6
    client, _ = scripted(httpx.Response(503, json=PROBLEM))
    with pytest.raises(Unavailable):
        client.jobs.get("j1")


def test_an_upload_that_is_retried_is_sent_whole(scripted, tmp_path):
    path = tmp_path / "mols.csv"
    path.write_text("smiles\nCCO\n")
    client, asked = scripted(httpx.ConnectError("x"), httpx.Response(201, json={"id": "f"}))
    client.files.upload(path)
    assert all(b"CCO" in request.content for request in asked)


def test_waiting_for_a_failed_job_raises_its_problem(scripted):
    failed = JOB | {"state": "failed", "error": PROBLEM}
    client, _ = scripted(httpx.Response(200, json=failed))
    with pytest.raises(JobFailed, match="no") as raised:
        client.jobs.wait("j1")
    assert raised.value.job["id"] == "j1"


def test_lists_are_followed_page_by_page(scripted):
    pages = [
        httpx.Response(200, json={"items": [{"id": 1}, {"id": 2}], "next_cursor": "c"}),
        httpx.Response(200, json={"items": [{"id": 3}], "next_cursor": None}),
    ]
    client, asked = scripted(*pages)
    assert [job["id"] for job in client.jobs.list(state="failed")] == [1, 2, 3]
    assert asked[1].url.params["cursor"] == "c"
    assert asked[1].url.params["state"] == "failed"


STREAM = (
    ": ping\n\n"
    'id: 1\nevent: state\ndata: {"data": {"state": "queued"}}\n\n'
    'event: progress\ndata: {"percent":\ndata:  40}\n\n'
)
END = 'id: 2\nevent: state\ndata: {"data": {"state": "succeeded"}}\n\n'


def test_the_stream_format():
    events = list(parse(iter((STREAM + END).split("\n"))))
    assert events == [
        Event(type="state", data={"data": {"state": "queued"}}, id="1"),
        Event(type="progress", data={"percent": 40}),
        Event(type="state", data={"data": {"state": "succeeded"}}, id="2"),
    ]
    assert [event.ends for event in events] == [False, False, True]


def test_a_broken_stream_is_picked_up_where_it_broke(scripted):
    kind = {"content-type": "text/event-stream"}
    client, asked = scripted(
        httpx.Response(200, text=STREAM, headers=kind),
        httpx.Response(200, json=JOB | {"state": "running"}),
        httpx.ConnectError("gateway restarts"),
        httpx.Response(200, json=JOB | {"state": "running"}),
        httpx.Response(200, text=END, headers=kind),
    )
    events = list(client.jobs.follow("j1"))
    assert [event.id for event in events] == ["1", None, "2"]
    streams = [r for r in asked if r.headers.get("accept") == "text/event-stream"]
    assert [r.headers.get("last-event-id") for r in streams] == [None, "1", "1"]


def test_configuration_comes_from_the_environment_then_the_nearest_file(tmp_path, monkeypatch):
    for name in ("RETORT_URL", "RETORT_API_KEY", "RETORT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    deep = tmp_path / "project" / "notebooks"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    with pytest.raises(RetortError, match=r"client\.json"):
        find_config()
    stored = tmp_path / "project" / ".retort" / "client.json"
    stored.parent.mkdir()
    stored.write_text(json.dumps({"url": "http://near", "api_key": "k"}))
    assert find_config().url == "http://near"
    monkeypatch.setenv("RETORT_URL", "http://env")
    monkeypatch.setenv("RETORT_API_KEY", "e")
    assert (find_config().url, find_config().source) == ("http://env", "environment")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My Mols.csv.gz", "my-mols"),
        ("esol.csv", "esol"),
        ("telco_churn.csv", "telco_churn"),
        ("_.csv", "dataset"),
    ],
)
def test_names_from_files(name, expected):
    assert slug(name) == expected


def test_exit_codes(scripted, monkeypatch, capsys):
    from retort import cli

    def run(*words, error=None):
        monkeypatch.setattr("sys.argv", ["retort", *words])
        if error is not None:
            monkeypatch.setattr("retort.cli.models.connect", lambda: (_ for _ in ()).throw(error))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code

    assert run("--help") == 0
    assert run("train") == 2
    assert run("models", "ls", error=NotFound(PROBLEM)) == 4
    assert run("models", "ls", error=ConnectionFailed(PROBLEM)) == 3
    assert run("models", "ls", error=JobFailed(JOB | {"state": "failed", "error": PROBLEM})) == 1
    assert "→ mend it" in capsys.readouterr().err


def test_settings_are_read_as_json_where_they_are():
    assert settings(["a=1", "b=x", "c=[1, 2]", "d=null"]) == {
        "a": 1,
        "b": "x",
        "c": [1, 2],
        "d": None,
    }


def test_a_group_without_a_command_shows_its_help():
    assert "follow" in CliRunner().invoke(app, ["jobs"]).output
