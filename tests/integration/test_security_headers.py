"""What a browser is told with every answer, and that the pages which we serve live with it."""

import base64
import hashlib
import re

import pytest
from starlette.testclient import TestClient

from api.security_headers import SECURITY_HEADERS, SecurityHeaders
from tests.support.gateway import calling

pytestmark = pytest.mark.req("S1-40", "goal-92")


def policy_of(answer):
    parts = (part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    return {part[0]: part[-1] for part in parts}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/jobs", 200),
        ("GET", "/api/v1/jobs/00000000-0000-0000-0000-000000000000", 404),
        ("POST", "/api/v1/jobs", 422),
        ("PUT", "/api/v1/jobs", 405),
        ("GET", "/nothing", 404),
        ("GET", "/health/live", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/metrics", 200),
    ],
)
def test_every_answer_carries_them(api, method, path, status):
    answer = api.request(method, f"http://retort{path}", json={} if method == "POST" else None)
    assert answer.status_code == status, answer.text
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
        assert len(answer.headers.get_list(name)) == 1


def test_a_short_cut_carries_them_too(api, monkeypatch):
    file = api.post("files", files={"file": ("m.csv", b"smiles,y\nCCO,1\n", "text/csv")}).json()
    body = {"kind": "ingest", "params": {"file_id": file["id"], "name": "m"}}
    job = api.post("jobs", json=body)
    monkeypatch.setattr(type(api.gateway.router), "__call__", None)  # routing is not reached
    known = api.get(f"jobs/{job.json()['id']}")
    for answer in (job, known):
        for name, value in SECURITY_HEADERS.items():
            if name.lower() != "cache-control":
                assert answer.headers[name] == value


@pytest.mark.parametrize(
    ("path", "offered"),
    [("/api/v1/files", "GET, POST"), ("/api/v1/jobs/x", "GET, PATCH"), ("/docs", "GET")],
)
def test_a_refused_method_names_all_that_are_offered(api, path, offered):
    """As RFC 9110 wants it; the fuzzer found that only the first route's were named."""
    answer = api.put(f"http://retort{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, offered)


def test_an_unexpected_error_carries_them(resources, monkeypatch):
    from api.routes import root

    def broken(*_args, **_more):
        raise RuntimeError("as nobody expected")

    monkeypatch.setattr(root, "json_response", broken)
    with calling(resources, raise_server_exceptions=False) as client:
        answer = client.get("http://retort/api/v1")
    assert answer.status_code == 500
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value


def test_browsers_are_told_to_insist_on_tls_only_over_tls(resources):
    from api.main import create_api

    gateway = create_api(resources)
    for scheme, expected in (("http", None), ("https", "max-age=31536000")):
        with TestClient(gateway, base_url=f"{scheme}://retort") as client:
            answer = client.get("/health/live")
        assert answer.headers.get("strict-transport-security") == expected


def test_they_can_be_told_not_to(resources):
    message = {"headers": []}
    SecurityHeaders(0).add(message, "https", "r")
    assert b"strict-transport-security" not in dict(message["headers"])


def test_what_a_route_says_itself_stays(api):
    page = api.get("http://retort/docs")
    assert policy_of(page)["script-src"] == "'self'"
    assert len(page.headers.get_list("content-security-policy")) == 1
    kept = api.get("http://retort/docs/start.js")
    assert kept.headers["cache-control"] == "public, max-age=86400"


def test_the_documentation_comes_from_this_server_alone(api):
    page = api.get("http://retort/docs").text
    assert "//" not in re.sub(r"<!.*?>", "", page)
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|\sstyle=|<style", page)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) == 4
    for path in loaded:
        answer = api.get(f"http://retort{path}", headers={"Authorization": ""})
        assert answer.status_code == 200, path
        assert len(answer.content) > 100
    assert api.get("http://retort/docs/other.js").status_code == 404
    assert api.get("http://retort/docs/..%2Fcore.py").status_code == 404


def test_pages_of_problems_bring_one_style_sheet_known_by_its_hash(api):
    page = api.get("http://retort/problems/not_found", headers={"Accept": "text/html"})
    (style,) = re.findall(r"<style>(.*?)</style>", page.text)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy_of(page)["style-src"] == f"'sha256-{digest}'"
    assert policy_of(page)["default-src"] == "'none'"
    assert "style=" not in page.text


def test_an_uploaded_page_can_do_nothing(api):
    page = b"<script>alert(1)</script>"
    file = api.post("files", files={"file": ("x.html", page, "text/html")}).json()
    answer = api.get(f"files/{file['id']}/content")
    assert answer.content == page
    assert policy_of(answer)["default-src"] == "'none'"
    assert answer.headers["content-disposition"].startswith("attachment")
