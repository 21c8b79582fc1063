"""A path offers what its own template offers, whichever other template fits it too.

`/jobs/estimate` fits `/jobs/{job_id}`: whoever patches it is told that this is not offered, and not
that `estimate` is no id. Every literal path of the document is asked for every method.
"""

import re

import pytest

from tests.support.gateway import calling

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
NOWHERE = "019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00"


@pytest.fixture(scope="module")
def paths():
    """The document's operations, by template."""
    from api.main import create_api

    return create_api().openapi()["paths"]


def fits(template, path):
    return re.fullmatch(re.sub("{[^}]*}", "[^/]+", template), path)


@pytest.fixture
def gateway(resources):
    with calling(resources) as client:
        yield client


def test_the_pairs_are_what_the_rule_is_for(paths):
    """So that the walk below proves something: these fit another template."""
    literal = [path for path in paths if "{" not in path]
    shadowing = {
        path: other for path in literal for other in paths if other != path and fits(other, path)
    }
    assert len(literal) > 40
    assert {path.removeprefix("/api/v1") for path in shadowing} == {
        *("/jobs/estimate", "/jobs/bulk", "/files/uploads", "/predictions/latest"),
        *("/keys/whoami", "/schedules/preview"),
    }


def test_a_literal_path_refuses_what_it_does_not_offer(gateway, paths):
    wrong = []
    for path, operations in paths.items():
        offered = {method.upper() for method in operations}
        if "{" in path:
            continue
        for method in METHODS:
            if method in offered:
                continue
            answer = gateway.request(method, f"http://retort{path}")
            allowed = set(answer.headers.get("allow", "").split(", "))
            if (answer.status_code, allowed) != (405, offered):
                wrong.append(f"{method} {path}: {answer.status_code} {allowed}")
            elif method != "HEAD":
                assert answer.json()["code"] == "method_not_allowed"
    assert wrong == []


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
def test_what_a_literal_path_offers_is_its_own(gateway, paths, method):
    """The order of the routes agrees: none is taken for an id."""
    for path, operations in paths.items():
        if "{" in path or method.lower() not in operations or path == "/api/v1/events/stream":
            continue
        answer = gateway.request(method, f"http://retort{path}")
        errors = answer.json().get("errors", []) if answer.status_code == 422 else []
        assert [found for found in errors if found["pointer"].startswith("path/")] == [], path


def test_a_partly_literal_path_is_narrower_too(gateway):
    """`/files/uploads/{upload_id}` and `/files/{file_id}/preview` both fit."""
    answer = gateway.post("files/uploads/preview", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")


@pytest.mark.parametrize("path", ["jobs/estimates", "predictions/last", "webhooks/none"])
def test_a_path_that_is_no_id_is_still_told_so(gateway, path):
    answer = gateway.get(path)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("path/")


def test_an_id_still_reaches_its_route(gateway):
    assert gateway.get(f"jobs/{NOWHERE}").status_code == 404
    assert gateway.get(f"predictions/{NOWHERE}").status_code == 404


def test_a_path_behind_a_proxy_is_the_same():
    from api.offered import path_of

    assert path_of({"path": "/lab/jobs/bulk", "root_path": "/lab"}) == "/jobs/bulk"
    assert path_of({"path": "/laboratory/jobs", "root_path": "/lab"}) == "/laboratory/jobs"
    assert path_of({"path": "/jobs/bulk", "root_path": ""}) == "/jobs/bulk"


def test_a_refusal_is_counted_under_the_literal_route(gateway):
    gateway.patch("jobs/estimate", json={})
    metrics = gateway.get("http://retort/metrics").text
    assert re.search(r'seconds_count{method="PATCH",route="/jobs/estimate",status="405"', metrics)
