"""A key that is given in a header, a query, a body or a path is written down nowhere.

A tour of requests, good and bad; then logs, answers, events, audit rows, and every other column of
text in the database are searched for the secret.
"""

import json
import logging
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from psycopg import sql

from app.access.keys import create_key
from tests.support.gateway import calling
from workers.logs import MaskingFormatter

pytestmark = pytest.mark.req("goal-12", "goal-92")


@contextmanager
def listening():
    """Every line that any logger writes meanwhile, as our handler puts it."""
    lines = []

    class Keeper(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))

    keeper = Keeper(level=logging.DEBUG)
    keeper.setFormatter(MaskingFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(keeper)
    root.setLevel(before)


HEADERS = (
    *("X-Request-ID", "If-Match", "If-None-Match", "Prefer", "Accept", "X-Api-Key", "Range"),
    *("Idempotency-Key", "X-Retort-Key", "Last-Event-ID", "Content-Type"),
)


def bodies(key):
    """Requests that say it where it does not belong."""
    ingest = {"kind": "ingest", "params": {"file_id": "0" * 32, "name": "m"}}
    yield "POST", "jobs", ingest | {"labels": {"key": key}}
    yield "POST", "jobs", ingest | {"client_ref": key}
    yield "POST", "jobs", ingest | {"params": {"file_id": key}}
    yield "POST", "jobs", {"kind": key}
    yield "POST", "predictions", {"model": key, "inputs": ["CCO"]}
    yield "POST", "predictions", {"model": "m", "inputs": [{"smiles": "C", "id": key}]}
    yield "POST", "endpoints", {"name": "e", "routes": [{"model": "m"}], "note": key}
    yield "PATCH", "registry/m", {"description": f"my key is {key}."}
    yield "POST", "files/uploads", {"name": f"{key}.csv", "size": 10}
    yield "POST", "comparisons", {key: key}


def tour(api, key):
    """Answers to requests with the key in every place."""
    secret = key.split("_", 2)[2]
    for method, path, body in bodies(key):
        yield api.request(method, path, json=body)
    for path in (f"models/{key}", f"jobs/{key}", f"datasets/{key}", f"registry/{key}", f"{key}/x"):
        yield api.get(path)
        yield api.get(path.replace("rt_", "rt%5F"))
        yield api.delete(path)
    for query in (f"?api_key={key}", f"?name={quote(key)}", f"?cursor={key}", f"?limit={key}"):
        yield api.get(f"jobs{query}")
        yield api.get(f"models{query}")
    for name in HEADERS:
        yield api.get("jobs", headers={name: key})
        yield api.post("predictions", json={"model": "m", "inputs": ["C"]}, headers={name: key})
    for wrong in (f"Bearer {key}x", f"Basic {key}", key, f"Bearer {key[:-1]}", f"bearer  {key}"):
        yield api.get("jobs", headers={"Authorization": wrong})
    yield api.post("jobs", content=f'{{"kind": "{key}'.encode())
    yield api.post("jobs", content=secret.encode(), headers={"Content-Type": "text/plain"})
    yield api.post("files", files={"file": (f"{key}.csv", b"smiles\nC\n", "text/csv")})


def columns_with(resources, secret):
    """`table.column` of each column of text, JSON or bytes that holds the secret anywhere."""
    with resources.database.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        )
        columns = [tuple(row.values()) for row in cursor]
        assert len(columns) > 150
        for table, column in columns:
            query = sql.SQL("SELECT count(*) AS n FROM {} WHERE {}::text LIKE %s")
            names = map(sql.Identifier, (table, column))
            cursor.execute(query.format(*names), [f"%{secret}%"])
            if cursor.fetchone()["n"]:
                yield f"{table}.{column}"


def test_a_key_is_written_down_nowhere(resources):
    with resources.database.session() as session:
        key = create_key(session, name="mine", is_admin=True).text
    secret = key.split("_", 2)[2]
    with calling(resources, raise_server_exceptions=False) as api, listening() as written:
        api.headers["Authorization"] = f"Bearer {key}"
        answers = list(tour(api, key))
        assert len(answers) > 60
        good = api.get("jobs")
        assert good.status_code == 200
    for answer in (*answers, good):
        shown = json.dumps([answer.text, dict(answer.headers)])
        assert secret not in shown, f"{answer.request.method} {answer.request.url}: {shown}"
        assert answer.status_code < 500, shown
    assert {401, 404, 422} <= {answer.status_code for answer in answers}
    lines = "\n".join(written)
    assert len(written) > 50
    assert secret not in lines, [line for line in written if secret in line]
    assert set(columns_with(resources, secret)) == set()


def test_an_unexpected_error_with_the_key_in_it_is_logged_without(resources, monkeypatch):
    from api.routes import root

    with resources.database.session() as session:
        key = create_key(session, name="mine").text

    def broken(*_args, **_more):
        raise RuntimeError(f"as nobody expected, with {key}")

    monkeypatch.setattr(root, "json_response", broken)
    with calling(resources, raise_server_exceptions=False) as api, listening() as written:
        answer = api.get("http://retort/api/v1", headers={"Authorization": f"Bearer {key}"})
    secret = key.split("_", 2)[2]
    assert answer.status_code == 500
    assert secret not in answer.text
    assert "as nobody expected" in "\n".join(written)
    assert secret not in "\n".join(written)


@pytest.mark.parametrize("where", ["query", "path", "body"])
def test_a_key_in_the_wrong_place_is_refused_with_a_remedy(api, where):
    key = api.headers["Authorization"].removeprefix("Bearer ")
    if where == "body":
        answer = api.post("jobs", json={"kind": "ingest", "labels": {"k": key}, "params": {}})
    else:
        answer = api.get(f"jobs?q={key}" if where == "query" else f"models/{key}")
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "invalid_input")
    assert "Authorization" in body["remedy"]
    assert "***" in body["instance"] or where != "path"
