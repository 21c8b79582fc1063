"""What can be named in a request: algorithms, featurizers, recipes of them, splitters, metrics."""

from typing import Any, Literal

from fastapi import APIRouter, Response

from api.dependencies import Caller
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.algorithms.base import Algorithm, algorithms
from app.core.plugin import Plugin
from app.core.registry import Registry
from app.features.recipes.base import Recipe, recipes
from app.featurizers.base import AnyFeaturizer, featurizers
from app.metrics.base import metrics
from app.splitters.base import splitters

router = APIRouter(route_class=Guarded, prefix="/catalog", tags=["catalog"], responses=PROBLEMS)

Kind = Literal["algorithms", "featurizers", "recipes", "splitters", "metrics"]

_REGISTRIES: dict[str, Registry[Any]] = {
    "algorithms": algorithms,
    "featurizers": featurizers,
    "recipes": recipes,
    "splitters": splitters,
    "metrics": metrics,
}
_FACTS = (
    "device",
    "needs_validation",
    "uses_weights",
    "input",
    "output",
    "expensive",
    "direction",
    "has_unit",
)


@router.get("/{kind}", dependencies=[needs(Right.READ)])
def catalog(kind: Kind, caller: Caller) -> Response:
    """Everything of one kind, with the JSON Schema of its parameters."""
    del caller
    return json_response({"items": [_shown(cls) for cls in _REGISTRIES[kind]]})


@router.get("/{kind}/{name}", dependencies=[needs(Right.READ)])
def entry(kind: Kind, name: str, caller: Caller) -> Response:
    del caller
    return json_response(_shown(_REGISTRIES[kind].get(name)))


def _shown(cls: type[Plugin]) -> dict[str, Any]:
    facts = {name: getattr(cls, name) for name in _FACTS if hasattr(cls, name)}
    if issubclass(cls, Algorithm | AnyFeaturizer):
        facts |= {"available": cls.unavailable() is None, "reason": cls.unavailable()}
    if issubclass(cls, Recipe):
        facts["features"] = [spec.model_dump() for spec in cls.features]
    if hasattr(cls, "tasks"):
        facts["tasks"] = sorted(cls.tasks)
    return {
        "name": cls.name,
        "aliases": cls.aliases,
        "version": cls.version,
        "summary": cls.summary,
        "reference": cls.reference,
        "params": cls.Params.model_json_schema(),
        **facts,
    }
