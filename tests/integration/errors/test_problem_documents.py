"""Every refusal is a problem document that says what to do and shows nothing of ours."""

import io
import re

import psycopg
import pytest
import redis
import sqlalchemy.exc

from app.access.keys import create_key
from app.core.errors import Retryable
from app.core.problems import CATALOGUE, FIELD_CODES
from app.db.projects import ProjectRow

SECRET = "s3cr3t-pw"
LEAK = f"/srv/retort/blobs/x.parquet password={SECRET} host=db-7.internal SELECT * FROM api_keys"
#: words of a server that no answer may hold
OURS = re.compile(
    r"/srv/|/tmp/|/home/|site-packages|Traceback|File \"|SELECT |INSERT |UPDATE |\.py\b|internal\b|"
    r"psycopg|sqlalchemy|redis\.|botocore|ValueError|KeyError|RuntimeError|OperationalError|"
    + SECRET,
)


def shows_nothing(text):
    found = OURS.findall(text)
    assert not found, (found, text)


# ---- pages


@pytest.mark.req("goal-5")
def test_each_code_has_a_page_and_its_type_leads_there(api, problem):
    body = problem(api.get("jobs", headers={"Authorization": ""}), 401, "unauthorized")
    open_ = {"Authorization": ""}
    page = api.get(f"http://retort{body['type']}", headers=open_ | {"Accept": "text/html,*/*"})
    assert page.headers["content-type"].startswith("text/html")
    for code, entry in CATALOGUE.items():
        as_json = api.get(f"http://retort/problems/{code}", headers=open_).json()
        assert (as_json["code"], as_json["remedy"]) == (code, entry.remedy)
        page = api.get(f"http://retort/problems/{code}", headers=open_ | {"Accept": "text/html"})
        assert entry.title.replace("'", "&#x27;") in page.text.replace("'", "&#x27;")
        assert "<script" not in page.text
    listed = api.get("http://retort/problems", headers=open_).json()["items"]
    assert [entry["code"] for entry in listed] == list(CATALOGUE)
    page = api.get("http://retort/problems", headers=open_ | {"Accept": "text/html"}).text
    assert all(f"/problems/{code}" in page for code in CATALOGUE)


def test_field_codes_are_explained_where_they_occur(api):
    entry = api.get("http://retort/problems/invalid_request").json()
    assert entry["field_codes"] == FIELD_CODES
    page = api.get("http://retort/problems/invalid_request", headers={"Accept": "text/html"}).text
    assert "extra_forbidden" in page


def test_a_mistyped_code_is_answered_with_the_nearest(api, problem):
    assert (
        "one_class"
        in problem(api.get("http://retort/problems/one_clas"), 404, "not_found")["remedy"]
    )


# ---- bodies that cannot be read

JSON = {"Content-Type": "application/json"}
DEEP = b'{"kind":"train","params":' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{not json", "line 1 column"),
        (b'{"kind": "train", "params": {"deadline": NaN}}', "line 1"),
        (b'{"kind": "train", "priority": Infinity}', "line 1"),
        (b'{"kind": "train", "deadline_seconds": 1e999}', "infinity"),
        (b'{"kind": "tr\xff\xfe"}', "UTF-8"),
        (b'{"kind": "\\ud800"}', "surrogate"),
        (DEEP, "nested deeper than 64"),
        (b"[" * 100_000, "no JSON"),
        (b'{"priority": ' + b"9" * 5000 + b"}", "infinity"),
        (b'{"kind": "train"} {"kind": "train"}', "line 1"),
    ],
)
def test_a_body_that_is_no_json_says_where(api, problem, body, words):
    found = problem(api.post("jobs", content=body, headers=JSON), 400, "malformed_body")
    assert words in found["detail"]
    shows_nothing(str(found))


@pytest.mark.parametrize("labels", [b'{"a": "\\u0000"}', b'{"\\u0000": "a"}'])
def test_a_zero_character_is_json_and_no_text(api, problem, labels):
    answer = api.post("jobs", content=b'{"labels": ' + labels + b"}", headers=JSON)
    assert "zero character" in problem(answer, 422, "invalid_input")["detail"]


def test_deep_but_allowed_and_a_backslash_before_u0000_pass_the_reader(api, problem):
    deep = b'{"a":' * 30 + b"1" + b"}" * 30
    answer = api.post("jobs", content=b'{"kind":"train","params":' + deep + b"}", headers=JSON)
    problem(answer, 422, "invalid_request")
    answer = api.post("jobs", content=b'{"client_ref": "\\\\u0000"}', headers=JSON)
    problem(answer, 422, "invalid_request")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None]
)
def test_a_wrong_content_type_is_named_with_the_right_one(api, problem, kind):
    headers = {"Content-Type": kind} if kind else {}
    answer = api.post("jobs", content=b'{"kind": "train"}', headers=headers)
    assert "application/json" in problem(answer, 415, "unsupported_media_type")["detail"]


def test_an_upload_that_is_no_form_says_so(api, problem):
    answer = api.post("files", content=b"smiles\nC\n", headers={"Content-Type": "text/csv"})
    assert "multipart/form-data" in problem(answer, 415, "unsupported_media_type")["detail"]
    broken = {"Content-Type": "multipart/form-data"}
    problem(api.post("files", content=b"x", headers=broken), 400, "malformed_body")
    missing = problem(api.post("files", files={"fiel": ("a", b"C")}), 422, "invalid_request")
    assert missing["errors"][0]["pointer"] == "/file"


def test_no_body_at_all(api, problem):
    found = problem(api.post("jobs", headers=JSON), 422, "invalid_request")
    assert found["errors"][0]["code"] == "missing"


# ---- fields, parameters, routes


def test_unknown_fields_kinds_and_values_are_answered_with_the_nearest(api, problem):
    body = {"kind": "train", "params": {"datset": "x", "split": {"nam": "random"}}}
    found = problem(api.post("jobs", json=body), 422, "invalid_request")
    assert "Write 'dataset' instead of 'datset'." in found["remedy"]
    assert "Write 'name' instead of 'nam'." in found["remedy"]
    pointers = {entry["pointer"] for entry in found["errors"]}
    assert {"/params/datset", "/params/split/nam", "/params/dataset"} <= pointers
    found = problem(api.post("jobs", json={"kind": "trian", "params": {}}), 422, "invalid_request")
    assert "Write 'train' instead of 'trian'." in found["remedy"]
    file_id = "019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00"
    body = {"kind": "ingest", "params": {"file_id": file_id, "name": "x", "duplicates": "merg"}}
    found = problem(api.post("jobs", json=body), 422, "invalid_request")
    assert "Write 'merge' instead of 'merg'." in found["remedy"]


@pytest.mark.parametrize(
    ("path", "params", "pointer"),
    [
        ("jobs", {"limit": "many"}, "query/limit"),
        ("jobs", {"limit": "1000"}, "query/limit"),
        ("jobs", {"state": "runing"}, "query/state/0"),
        ("jobs/none", {}, "path/job_id"),
    ],
)
def test_a_wrong_query_or_path_is_named(api, problem, path, params, pointer):
    found = problem(api.get(path, params=params), 422, "invalid_request")
    assert found["errors"][0]["pointer"] == pointer


def test_a_wrong_header_is_named(api, problem):
    body = {"kind": "train", "params": {"dataset": "x"}}
    answer = api.post("jobs", json=body, headers={"Idempotency-Key": "short"})
    found = problem(answer, 422, "invalid_request")
    assert found["errors"][0]["pointer"].lower() == "header/idempotency-key"


def test_a_mistyped_route_is_answered_with_the_nearest(api, problem):
    assert "/api/v1/jobs" in problem(api.get("job"), 404, "unknown_route")["remedy"]
    found = problem(api.get("dataset/esol/report"), 404, "unknown_route")
    assert "/api/v1/datasets/{ref}/report" in found["remedy"]
    found = problem(api.delete("jobs"), 405, "method_not_allowed")
    assert "DELETE" in found["detail"]
    assert api.delete("jobs").headers["allow"]


@pytest.mark.parametrize(
    "url",
    [
        *("jobs?label=%00", "jobs?kind=%00", "datasets/a%00b", "models/%00", "jobs?q=%ff%fe"),
        *("datasets/esol:99999999999999999999999", "models/esol:99999999999999999999999"),
        *(
            "models/esol@" + "x" * 3000,
            "datasets/" + "%F0%9F%92%A9" * 50,
            "jobs?cursor=" + "_" * 22,
        ),
        *("catalog/algorithms/%2e%2e%2fetc", "jobs?limit=" + "9" * 400, "files?cursor=AAAA"),
        *("datasets/esol:-1", "models/esol:0", "jobs?created_after=yesterday"),
        *("jobs?created_after=0001-01-01T00:00:00Z", "jobs?created_before=9999-12-31T23:59:59Z"),
    ],
)
def test_no_strange_address_is_our_fault(api, url):
    answer = api.get(url)
    assert answer.status_code < 500, (url, answer.text)
    assert answer.status_code == 200 or answer.json()["remedy"]
    assert len(answer.content) < 20_000
    shows_nothing(answer.text)


@pytest.mark.parametrize(
    "value",
    [2**31, 2**63, 10**30, -1, 1.5, "x" * 100_000, [], {}, None, True, "\ufffd", "a\nb", 1e308],
)
def test_no_strange_value_is_our_fault(api, value):
    """In every field of a training, one after the other."""
    base = {"dataset": "nothing", "algorithm": {"name": "ridge"}}
    for name in ("dataset", "seed", "targets", "task", "bootstrap", "name", "alias", "device"):
        answer = api.post("jobs", json={"kind": "train", "params": base | {name: value}})
        assert answer.status_code in (404, 413, 422), (name, answer.text[:300])
        assert len(answer.content) < 20_000
    for name in ("priority", "deadline_seconds", "client_ref", "labels", "needs"):
        answer = api.post("jobs", json={"kind": "train", "params": base, name: value})
        assert answer.status_code in (404, 413, 422), (name, answer.text[:300])


# ---- keys and projects


def test_keys_wrong_expired_and_revoked_are_told_apart_by_their_owner_only(api, resources, problem):
    def key(column=None):
        with resources.database.session() as session:
            made = create_key(session, name="k")
        if column:
            with resources.database.cursor() as cursor:
                cursor.execute(
                    f"UPDATE api_keys SET {column} = now() - interval '1 s' WHERE id = %s",
                    (made.id,),
                )
        return made.text

    def ask(text):
        return api.get("jobs", headers={"Authorization": f"Bearer {text}"})

    expired, revoked = key("expires_at"), key("revoked_at")
    problem(ask(expired), 401, "key_expired")
    problem(ask(revoked), 401, "key_revoked")
    details = set()
    for text in (expired, revoked, key()):
        wrong_secret = text[:12] + ("A" * 43)
        details.add(problem(ask(wrong_secret), 401, "unauthorized")["detail"])
    details.add(problem(ask("rt_00000000_" + "a" * 43), 401, "unauthorized")["detail"])
    assert len(details) == 1, "who knows only a prefix learns nothing"
    assert ask(key()).status_code == 200, "the remedy: a new key"


def test_what_belongs_to_another_project_is_answered_as_if_it_were_not(api, resources, problem):
    file = api.post("files", files={"file": ("a.csv", b"smiles,y\nC,1\n")}).json()
    job = api.post("datasets", json={"file_id": file["id"], "name": "mine"}).json()
    with resources.database.session() as session:
        project = ProjectRow(name="other")
        session.add(project)
        session.flush()
        stranger = create_key(session, name="s", project_id=project.id)
    other = {"Authorization": f"Bearer {stranger.text}"}
    for path in (
        f"files/{file['id']}",
        f"files/{file['id']}/content",
        f"jobs/{job['job_id']}",
        f"jobs/{job['job_id']}/events",
        "datasets/mine",
        f"datasets/{job['id']}",
    ):
        found = problem(api.get(path, headers=other), 404, "not_found")
        assert "mine" not in found["remedy"]
    nobody = problem(api.get("jobs/019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00"), 404, "not_found")
    theirs = problem(api.get(f"jobs/{job['job_id']}", headers=other), 404, "not_found")
    assert nobody["detail"].replace("019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00", "X") == theirs[
        "detail"
    ].replace(job["job_id"], "X")


# ---- nothing of ours leaks, and the log leads to the cause


def break_jobs_list(monkeypatch, error):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr("api.routes.jobs.list_page", broken)


@pytest.mark.req("goal-5")
def test_a_bug_in_a_route_is_hidden_from_the_caller_and_found_by_the_operator(
    api, problem, monkeypatch, caplog
):
    break_jobs_list(monkeypatch, RuntimeError(LEAK))
    answer = api.get("jobs", headers={"X-Request-ID": "find-me-1"})
    found = problem(answer, 500, "internal_error")
    assert found["request_id"] == "find-me-1"
    shows_nothing(answer.text)
    (line,) = [r for r in caplog.records if "find-me-1" in r.getMessage() and r.exc_info]
    assert SECRET in str(line.exc_info[1])


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (psycopg.OperationalError(LEAK), 503, "unavailable"),
        (sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception(LEAK)), 503, "unavailable"),
        (sqlalchemy.exc.TimeoutError(LEAK), 503, "unavailable"),
        (redis.ConnectionError(LEAK), 503, "unavailable"),
        (OSError(28, "No space left on device", "/srv/retort/x"), 503, "unavailable"),
        (psycopg.DataError(LEAK), 422, "invalid_input"),
        (sqlalchemy.exc.ProgrammingError("SELECT x", {}, Exception(LEAK)), 500, "internal_error"),
        (KeyError(LEAK), 500, "internal_error"),
    ],
)
def test_an_outage_in_the_middle_of_a_request(
    api, problem, monkeypatch, caplog, error, status, code
):
    break_jobs_list(monkeypatch, error)
    answer = api.get("jobs", headers={"X-Request-ID": "find-me-2"})
    found = problem(answer, status, code)
    assert found["retryable"] == (status == 503)
    assert ("retry-after" in answer.headers) == (status == 503)
    shows_nothing(answer.text)
    assert any("find-me-2" in record.getMessage() for record in caplog.records)


def test_the_database_goes_away_in_the_middle_of_a_request(api, problem, resources, monkeypatch):
    """The connection is cut by the server while the query runs; the next request is answered."""
    from app.jobs import listing

    real = listing.list_page

    def cut_off(db, *values, **names):
        with db.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return real(db, *values, **names)

    monkeypatch.setattr("api.routes.jobs.list_page", cut_off)
    answer = api.get("jobs")
    problem(answer, 503, "unavailable")
    shows_nothing(answer.text)
    monkeypatch.setattr("api.routes.jobs.list_page", real)
    assert api.get("jobs").status_code == 200


def test_the_blob_store_goes_away(api, problem, resources, monkeypatch, caplog):
    upload = {"file": ("a.csv", b"smiles,y\nC,1\n")}
    file = api.post("files", files=upload).json()
    key = next(iter(resources.storage.list("uploads/")))
    resources.storage.delete(key)
    answer = api.get(f"files/{file['id']}/content", headers={"X-Request-ID": "find-me-3"})
    problem(answer, 500, "content_missing")
    shows_nothing(answer.text)
    assert key not in answer.text
    assert any("find-me-3" in r.getMessage() and key in r.getMessage() for r in caplog.records)

    def full(*_, **__):
        raise Retryable("the blob store cannot write: No space left on device")

    monkeypatch.setattr(type(resources.storage), "writer", full)
    problem(api.post("files", files={"file": ("b.csv", b"smiles\nCC\n")}), 503, "temporary_failure")


# ---- jobs


@pytest.fixture
def ingest_job(api):
    rows = "".join(f"{'C' * n}O,{n}.5\n" for n in range(1, 30)).encode()
    file = io.BytesIO(b"smiles,y\n" + rows)
    file_id = api.post("files", files={"file": ("mols.csv", file)}).json()["id"]
    return api.post("datasets", json={"file_id": file_id, "name": "mols"}).json()["job_id"]


@pytest.mark.req("goal-5")
@pytest.mark.parametrize("place", ["plan", "run_chunk", "finalize"])
def test_a_bug_in_a_worker_is_hidden_from_the_caller_and_found_by_the_operator(
    api, worker, ingest_job, monkeypatch, caplog, place
):
    def broken(*_):
        raise RuntimeError(LEAK)

    monkeypatch.setattr(f"app.ingestion.service.{place}", broken)
    worker.run_all()
    job = api.get(f"jobs/{ingest_job}").json()
    assert job["state"] == "failed"
    assert job["error"]["type"] == f"/problems/{job['error']['code']}"
    assert set(job["error"]) == {
        *("type", "code", "title", "detail", "remedy", "errors", "retryable")
    }
    for path in ("", "/events", "/attempts", "/chunks", "/artifacts"):
        shows_nothing(api.get(f"jobs/{ingest_job}{path}").text)
    lines = [r for r in caplog.records if ingest_job in r.getMessage() and r.exc_info]
    assert any(SECRET in str(line.exc_info[1]) for line in lines)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError(LEAK),
        redis.ConnectionError(LEAK),
        OSError(28, "No space left on device", "/srv/retort/x"),
        ConnectionRefusedError(111, LEAK),
    ],
)
def test_an_outage_in_a_worker_names_the_service_only(
    api, worker, ingest_job, monkeypatch, caplog, error
):
    def broken(*_):
        raise error

    monkeypatch.setattr("app.ingestion.service.plan", broken)
    worker.run(ingest_job, "ingest")
    job = api.get(f"jobs/{ingest_job}").json()
    assert job["state"] == "retrying"
    assert job["error"]["code"] == "temporary_failure"
    assert job["error"]["retryable"]
    for path in ("", "/events", "/attempts"):
        shows_nothing(api.get(f"jobs/{ingest_job}{path}").text)


def test_a_bug_in_an_interactive_answer_is_hidden(api, worker, problem, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError(LEAK)

    file = api.post("files", files={"file": ("a.csv", b"smiles,y\nC,1\n")}).json()
    monkeypatch.setitem(__import__("tasks.interactive").interactive.QUESTIONS, "preview", broken)
    answer = api.post(f"files/{file['id']}/preview", json={})
    problem(answer, 500, "internal_error")
    shows_nothing(answer.text)
    assert any(r.exc_info and SECRET in str(r.exc_info[1]) for r in caplog.records)
