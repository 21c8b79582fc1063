"""Combinations that mean nothing are refused by name."""

import pytest
from pydantic import ValidationError

from app.core.errors import InvalidInput
from app.endpoints.spec import EndpointSpec, check_spec

LIVE = {"model": "sol:1", "weight": 100}
SHADOW = {"model": "sol:2", "mode": "shadow"}
CANARY = {"model": "sol:2"}


def codes(**spec):
    with pytest.raises(InvalidInput) as refused:
        check_spec(EndpointSpec(**spec))
    assert refused.value.problem()["code"] == "invalid_endpoint"
    return [(error["pointer"], error["code"]) for error in refused.value.errors]


@pytest.mark.parametrize(
    "spec",
    [
        {"routes": [{"model": "sol"}]},
        {"routes": [LIVE, SHADOW], "canary": CANARY},
        {"routes": [{"model": "sol@champion", "pin": False}]},
        {
            "routes": [LIVE, SHADOW],
            "canary": {**CANARY, "guards": {"disagreement": 0.2}},
            "history": {"store": "all"},
        },
        # a shadow's answers are stored, whatever the history says
        {"routes": [LIVE, SHADOW], "canary": {**CANARY, "guards": {"disagreement": 0.2}}},
        {"routes": [LIVE, SHADOW], "history": {"keep_days": 3}},
        {"routes": [LIVE], "fallback": {"model": "sol:2"}, "deadline_ms": 100},
    ],
)
def test_what_goes_together(spec):
    check_spec(EndpointSpec(**spec))


@pytest.mark.parametrize(
    ("expected", "spec"),
    [
        (("/routes", "no_live_route"), {"routes": [SHADOW]}),
        (("/routes", "weights"), {"routes": [{**LIVE, "weight": 60}]}),
        (("/routes", "weights"), {"routes": [LIVE, {"model": "sol:2", "weight": 10}]}),
        (("/routes/1/weight", "shadow"), {"routes": [LIVE, {**SHADOW, "weight": 10}]}),
        (("/routes/0/sample", "live"), {"routes": [{**LIVE, "sample": 0.5}]}),
        (("/routes/1/model", "duplicate"), {"routes": [LIVE, {**LIVE, "weight": 0}]}),
        (("/routes/0/pin", "nothing_to_follow"), {"routes": [{**LIVE, "pin": False}]}),
        (("/canary/model", "duplicate"), {"routes": [LIVE], "canary": {"model": "sol:1"}}),
        (("/canary/steps", "order"), {"routes": [LIVE], "canary": {**CANARY, "steps": [50, 5]}}),
        (("/canary/steps", "last"), {"routes": [LIVE], "canary": {**CANARY, "steps": [5, 50]}}),
        (
            ("/canary/guards/disagreement", "no_shadow"),
            {"routes": [LIVE], "canary": {**CANARY, "guards": {"disagreement": 1}}},
        ),
        (("/fallback/when", "no_deadline"), {"routes": [LIVE], "fallback": {"model": "sol:2"}}),
        (
            ("/fallback/model", "duplicate"),
            {"routes": [LIVE], "fallback": {"model": "sol:1", "when": ["error"]}},
        ),
        (("/history/share", "share"), {"routes": [LIVE], "history": {"store": "sample"}}),
        (
            ("/history/keep_days", "nothing_stored"),
            {"routes": [LIVE], "history": {"keep_days": 3}},
        ),
        (
            ("/routes/1/model", "pin"),
            {
                "routes": [
                    {"model": "sol@a", "pin": False},
                    {"model": "sol@a", "mode": "shadow"},
                ]
            },
        ),
    ],
)
def test_what_means_nothing(expected, spec):
    assert expected in codes(**spec)


@pytest.mark.req("C-16", "S1-17")
@pytest.mark.parametrize(("target", "word"), [("edge", "export"), ("sagemaker", "docker")])
def test_targets_that_retort_does_not_run(target, word):
    with pytest.raises(InvalidInput) as refused:
        check_spec(EndpointSpec(routes=[LIVE], target=target))
    problem = refused.value.problem()
    assert problem["code"] == "target_unsupported"
    assert word in problem["remedy"]
    check_spec(EndpointSpec(routes=[LIVE], target="docker", min_replicas=3))


@pytest.mark.parametrize(
    "wrong",
    [
        {"routes": []},
        {"routes": [LIVE] * 11},
        {"routes": [{**LIVE, "weight": 101}]},
        {"routes": [LIVE], "canary": {**CANARY, "min_requests": 0}},
        {"routes": [LIVE], "bands": []},
    ],
)
def test_limits(wrong):
    with pytest.raises(ValidationError):
        EndpointSpec(**wrong)
