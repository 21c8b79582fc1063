"""Classes of problems: families, codes, and the server's catalogue."""

import pytest

import retort
from api.errors import STATUS
from app.core.problems import CATALOGUE
from retort import errors
from retort.errors import classes, error_of, failure_of, family_of

#: made by the client itself
_OWN = {"connection_failed", "timed_out", "no_configuration", "cancelled"}


#: codes that may land before a class is declared for them: until then their family is raised
_MAX_UNDECLARED = 10


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.code)
def test_every_code_of_the_server_raises_its_class_or_its_family(entry):
    kind = classes().get(entry.code)
    if entry.category == "job":
        job = {"state": "failed", "error": {"code": entry.code, "detail": "d"}}
        assert isinstance(failure_of(job), kind or errors.JobFailed)
        return
    status = STATUS[entry.category]
    raised = error_of(status, {"code": entry.code, "detail": "d"})
    assert type(raised) is (kind or family_of(status)), f"{entry.code} is in another family"


def test_the_codes_of_the_server_have_classes():
    undeclared = sorted(CATALOGUE.keys() - classes().keys())
    assert len(undeclared) <= _MAX_UNDECLARED, f"declare in retort/errors.py: {undeclared}"


def test_no_class_names_a_code_that_the_server_does_not_have():
    assert classes().keys() - CATALOGUE.keys() == _OWN


def test_every_class_can_be_imported_from_the_package():
    for kind in set(classes().values()):
        assert getattr(retort, kind.__name__) is kind


def test_a_code_of_tomorrow_falls_back_to_its_family():
    assert type(error_of(418, {"code": "teapot", "detail": "d"})) is retort.InvalidRequest
    assert type(error_of(409, {"code": "teapot", "detail": "d"})) is retort.Conflict
    assert type(error_of(507, {"code": "full", "detail": "d"})) is retort.Unavailable
    # a code that does not belong to the status: the status is what happened
    assert type(error_of(503, {"code": "unknown_name", "detail": "d"})) is retort.Unavailable


def test_a_failed_job_is_caught_as_failed_and_by_its_problem():
    job = {"id": "j", "state": "failed", "error": {"code": "one_class", "detail": "only a"}}
    with pytest.raises(retort.UnusableTarget, match="only a"):
        raise failure_of(job)
    with pytest.raises(retort.JobFailed) as failed:
        raise failure_of(job)
    assert failed.value.job["id"] == "j"
    assert (
        type(failure_of({**job, "error": {"code": "new_one", "detail": "d"}})) is retort.JobFailed
    )
    cancelled = failure_of({"id": "j", "state": "cancelled", "error": None})
    assert isinstance(cancelled, retort.JobCancelled)


def test_an_error_says_what_to_do_and_where_to_read_on():
    error = error_of(
        422,
        {
            "code": "unknown_name",
            "type": "/problems/unknown_name",
            "detail": "there is no 'ridg'",
            "remedy": "Did you mean ridge?",
            "request_id": "r1",
            "errors": [{"pointer": "/params/algorithm", "code": "x", "detail": "y"}],
        },
    )
    assert str(error) == "there is no 'ridg' (Did you mean ridge?)"
    assert (error.request_id, error.page) == ("r1", "/problems/unknown_name")
    assert error.fields[0]["pointer"] == "/params/algorithm"
