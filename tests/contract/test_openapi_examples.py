"""Every request body of the API has an example, and the example is a valid request."""

import importlib
import pkgutil

import pytest
from pydantic import BaseModel

import api.routes
import api.schemas
from api.main import create_api
from api.schemas.examples import EXAMPLES
from app.comparison.params import Candidate
from app.core.requests import PluginSpec
from app.core.settings import Settings
from app.endpoints.outcomes import Outcome
from app.endpoints.spec import CanarySpec, FallbackSpec, GuardSpec, HistorySpec, RouteSpec
from app.prediction.comparison_params import ComparedItem, StoredValues
from app.prediction.params import PredictionInput
from app.resources import Resources
from app.schedules.spec import JobTemplate, RetrainSpec
from app.training.params import SplitSpec

#: what stands inside other bodies
_INNER = (
    *(Candidate, ComparedItem, PluginSpec, PredictionInput, SplitSpec, StoredValues),
    *(CanarySpec, FallbackSpec, GuardSpec, HistorySpec, Outcome, RouteSpec),
    *(JobTemplate, RetrainSpec),
)


@pytest.fixture(scope="module")
def document():
    return create_api(Resources(Settings())).openapi()


def models():
    """Every pydantic model that the API's modules know, by name."""
    found = {}
    for package in (api.routes, api.schemas):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and issubclass(value, BaseModel):
                    found[value.__name__] = value
    return found | {cls.__name__: cls for cls in _INNER}


def refs(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rsplit("/", 1)[-1]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def request_schemas(document):
    schemas = document["components"]["schemas"]
    bodies = [
        operation["requestBody"]["content"].get("application/json", {})
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    todo, found = set(refs(bodies)), set()
    while todo:
        name = todo.pop()
        found.add(name)
        todo |= set(refs(schemas[name].get("properties", {}))) - found
    return {name for name in found if schemas[name].get("type") == "object"}


@pytest.mark.req("S2-16")
def test_every_request_has_an_example(document):
    schemas = document["components"]["schemas"]
    asked = request_schemas(document)
    assert len(asked) > 20
    assert {name for name in asked if "example" not in schemas[name]} == set()
    assert EXAMPLES.keys() <= schemas.keys(), "an example of what is not there any more"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_is_valid(name):
    models()[name].model_validate(EXAMPLES[name])
