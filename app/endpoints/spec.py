"""What an endpoint is asked to be: routes, stickiness, fallback, canary, history."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from app.core.errors import FieldError, InvalidInput
from app.core.requests import RequestModel
from app.models.reference import parse_model_ref

ModelRef = Annotated[str, Field(min_length=1, max_length=200, examples=["solubility@champion"])]
Share = Annotated[float, Field(gt=0, le=1)]

_WEIGHTS = 100.0
_ROUNDING = 0.005


class RouteSpec(RequestModel):
    model: ModelRef
    #: live: answers the caller; shadow: predicts too, is stored with the live answer to the same
    #: input, never returned
    mode: Literal["live", "shadow"] = "live"
    #: percent of the live requests; all live weights together are 100; a lone live route needs none
    weight: Annotated[float, Field(ge=0, le=100)] | None = None
    #: share of the requests that the shadow predicts too; 1 when left out
    sample: Share | None = None
    #: true: what the reference means when the revision is made, until the next revision;
    #: false: what it means at each moment, so the route follows its alias
    pin: bool = True


class FallbackSpec(RequestModel):
    """A pinned model that answers instead, marked in the answer."""

    model: ModelRef
    when: tuple[Literal["timeout", "error", "out_of_domain"], ...] = Field(
        default=("timeout", "error"), min_length=1, max_length=3
    )


class GuardSpec(RequestModel):
    """What the canary may not do. Left out: not guarded."""

    #: largest share of its requests that fail
    error_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    #: it may not fail more often than the other arms (one-sided test)
    worse_than_stable: bool = True
    #: largest 95th percentile of its latency, milliseconds
    p95_ms: Annotated[float, Field(gt=0, le=600_000)] | None = None
    #: the same, as a multiple of the other arms' 95th percentile
    p95_ratio: Annotated[float, Field(ge=1, le=1_000)] | None = None
    #: from the other arms on the same inputs: mean absolute difference, or share of other classes
    disagreement: Annotated[float, Field(gt=0)] | None = None


class CanarySpec(RequestModel):
    """A pinned model that takes the traffic over step by step, or goes back by itself."""

    model: ModelRef
    #: percent of the requests, growing, the last is 100
    steps: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(
        default=(5, 25, 50, 100), min_length=1, max_length=20
    )
    #: a step lasts at least so long
    interval_seconds: Annotated[float, Field(ge=1, le=30 * 86_400)] = 600
    #: and until the canary has had so many requests
    min_requests: Annotated[int, Field(ge=1, le=10_000_000)] = 200
    guards: GuardSpec = GuardSpec()


class HistorySpec(RequestModel):
    """Which predictions are stored: of a request that a shadow predicts too, the live answer and
    the shadow's together, or neither.
    """

    #: none: those alone that a shadow predicts too
    store: Literal["none", "all", "sample"] = "none"
    #: of `sample`
    share: Share | None = None
    #: left out: as the installation keeps them
    keep_days: Annotated[int, Field(ge=1, le=3_650)] | None = None


class EndpointSpec(RequestModel):
    routes: tuple[RouteSpec, ...] = Field(min_length=1, max_length=10)
    #: key: one key (header X-Retort-Key, or `sticky_key` of the body) stays with one model;
    #: structure: one input does, as it is written; none: each request is drawn
    sticky: Literal["key", "structure", "none"] = "key"
    fallback: FallbackSpec | None = None
    canary: CanarySpec | None = None
    history: HistorySpec = HistorySpec()
    #: whether answers come from the cache where it has them
    cache: bool = True
    #: a live arm that takes longer is a timeout
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] | None = None
    #: serving processes that there should be: `retort doctor` warns when fewer live; starts none
    min_replicas: Annotated[int, Field(ge=1, le=64)] = 1
    #: where it runs: `docker` is the cluster's own pool, the only one
    target: Annotated[str, Field(max_length=50)] = "docker"

    @property
    def live(self) -> tuple[RouteSpec, ...]:
        return tuple(route for route in self.routes if route.mode == "live")

    @property
    def shadows(self) -> tuple[RouteSpec, ...]:
        return tuple(route for route in self.routes if route.mode == "shadow")

    def weight_of(self, route: RouteSpec) -> float:
        if route.weight is None:
            return _WEIGHTS if len(self.live) == 1 else 0.0
        return route.weight

    def references(self) -> Iterator[tuple[str, str, bool]]:
        """(pointer, model reference, whether it is pinned) of everything that is named."""
        for number, route in enumerate(self.routes):
            yield f"/routes/{number}/model", route.model, route.pin
        if self.canary is not None:
            yield "/canary/model", self.canary.model, True
        if self.fallback is not None:
            yield "/fallback/model", self.fallback.model, True


def check_spec(spec: EndpointSpec) -> None:
    """Raises InvalidInput (`invalid_endpoint`, `target_unsupported`) naming every combination that
    means nothing.
    """
    if spec.target != "docker":
        raise _target(spec.target)
    rules = (_routes, _pins, _canary, _guards, _fallback, _history)
    found = [error for rule in rules for error in rule(spec)]
    if found:
        detail = "; ".join(f"{error['pointer']}: {error['detail']}" for error in found)
        raise InvalidInput(detail, code="invalid_endpoint", errors=found)


def _target(target: str) -> InvalidInput:
    remedy = "Leave `target` out, or set it to `docker`: the cluster's own warm workers."
    if target == "edge":
        remedy = "Export the model and run it there: `retort models export REF`."
    return InvalidInput(
        f"endpoints are not run on {target[:50]!r}", code="target_unsupported", remedy=remedy
    )


def _wrong(pointer: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=pointer, code=code, detail=detail)


def _routes(spec: EndpointSpec) -> Iterator[FieldError]:
    seen: set[tuple[str, str]] = set()
    for number, route in enumerate(spec.routes):
        place = f"/routes/{number}"
        if (route.model, route.mode) in seen:
            yield _wrong(f"{place}/model", "duplicate", f"{route.model} is named twice")
        seen.add((route.model, route.mode))
        if route.mode == "shadow" and route.weight is not None:
            yield _wrong(f"{place}/weight", "shadow", "a shadow answers nobody; it has a `sample`")
        if route.mode == "live" and route.sample is not None:
            yield _wrong(f"{place}/sample", "live", "`sample` is of shadows; this has a `weight`")
    if not spec.live:
        yield _wrong("/routes", "no_live_route", "no route is live, so nothing would answer")
    elif abs(sum(map(spec.weight_of, spec.live)) - _WEIGHTS) > _ROUNDING:
        total = sum(map(spec.weight_of, spec.live))
        yield _wrong("/routes", "weights", f"the live weights add up to {total:g}, not to 100")


def _pins(spec: EndpointSpec) -> Iterator[FieldError]:
    by_reference: dict[str, bool] = {}
    for pointer, text, pinned in spec.references():
        reference = parse_model_ref(text)
        if not pinned and (reference.id is not None or reference.number is not None):
            detail = f"{text} is one version: there is no alias to follow"
            yield _wrong(f"{pointer.removesuffix('model')}pin", "nothing_to_follow", detail)
        if by_reference.setdefault(text, pinned) != pinned:
            yield _wrong(pointer, "pin", f"{text} is pinned in one place and followed in another")


def _canary(spec: EndpointSpec) -> Iterator[FieldError]:
    canary = spec.canary
    if canary is None:
        return
    if canary.model in [route.model for route in spec.live]:
        yield _wrong("/canary/model", "duplicate", f"{canary.model} is a live route already")
    if list(canary.steps) != sorted(set(canary.steps)):
        yield _wrong("/canary/steps", "order", "each step must be larger than the one before")
    if canary.steps[-1] != _WEIGHTS:
        yield _wrong("/canary/steps", "last", "the last step must be 100")


def _guards(spec: EndpointSpec) -> Iterator[FieldError]:
    if spec.canary is None or spec.canary.guards.disagreement is None:
        return
    pointer = "/canary/guards/disagreement"
    if spec.canary.model not in [route.model for route in spec.shadows]:
        detail = "it is measured by a shadow: add a shadow route of the canary's model"
        yield _wrong(pointer, "no_shadow", detail)


def _fallback(spec: EndpointSpec) -> Iterator[FieldError]:
    if spec.fallback is None:
        return
    if "timeout" in spec.fallback.when and spec.deadline_ms is None:
        detail = "a timeout needs `deadline_ms`"
        yield _wrong("/fallback/when", "no_deadline", detail)
    if [route.model for route in spec.live] == [spec.fallback.model] and spec.canary is None:
        yield _wrong("/fallback/model", "duplicate", "it is the only live route itself")


def _history(spec: EndpointSpec) -> Iterator[FieldError]:
    if (spec.history.store == "sample") != (spec.history.share is not None):
        yield _wrong("/history/share", "share", "`share` goes with `store: sample`, and only there")
    nothing = spec.history.store == "none" and not spec.shadows
    if nothing and spec.history.keep_days is not None:
        yield _wrong("/history/keep_days", "nothing_stored", "nothing is stored")
