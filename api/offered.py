"""Which methods a path is offered for, where two templates fit it.

`/jobs/estimate` fits `/jobs/{job_id}` too. Who asks `PATCH /jobs/estimate` means the first: the
template that says more of the path literally, counted from the left. The framework would go on to
the second, and complain about an id. `Refusal` stands before all routes and answers 405 instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from re import Pattern
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, kw_only=True)
class Template:
    """A path with places for parameters, and what all its routes together offer."""

    path_format: str
    regex: Pattern[str]
    #: the first of its routes, by which metrics and traces call it
    route: BaseRoute
    methods: set[str] = field(default_factory=set)

    @cached_property
    def wideness(self) -> tuple[bool, ...]:
        """By segment, whether a parameter stands there: less is narrower."""
        return tuple(part.startswith("{") for part in self.parts)

    @cached_property
    def parts(self) -> list[str]:
        return self.path_format.split("/")

    def shadows(self, other: "Template") -> bool:
        """Whether it is the narrower of two that fit one path."""
        pairs = list(zip(self.parts, other.parts, strict=False))
        return (
            len(self.parts) == len(other.parts)
            and self.wideness < other.wideness
            and all(a == b or "{" in (a[:1], b[:1]) for a, b in pairs)
        )


class Offered:
    """Worked out from the routes when it is first asked for."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes

    @cached_property
    def _templates(self) -> list[Template]:
        """Narrowest first."""
        found: dict[str, Template] = {}
        for route in iter_route_contexts(self._routes):
            path = route.path_format
            if path is not None:
                template = Template(
                    path_format=path, regex=route.path_regex, route=route.original_route
                )
                found.setdefault(path, template).methods.update(route.methods or ())
        return sorted(found.values(), key=lambda template: template.wideness)

    @cached_property
    def _shadowing(self) -> list[Template]:
        every = self._templates
        return [one for one in every if any(one.shadows(other) for other in every)]

    def methods(self, path: str) -> list[str]:
        """Of the narrowest template that fits; empty where none does (RFC 9110, 10.2.1)."""
        fitting = (one for one in self._templates if one.regex.match(path))
        narrowest = next(fitting, None)
        return [] if narrowest is None else sorted(narrowest.methods)

    def refused(self, method: str, path: str) -> Template | None:
        """The template that shadows another at this path and lacks the method."""
        fitting = (one for one in self._shadowing if one.regex.match(path))
        narrowest = next(fitting, None)
        return None if narrowest is None or method in narrowest.methods else narrowest


def path_of(scope: Scope) -> str:
    """As routes see it: without what a proxy has put in front."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


class Refusal(BaseRoute):
    """Takes the requests whose path means one template and whose method only another one offers."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        template = self._offered.refused(scope["method"], path_of(scope))
        return (Match.NONE, {}) if template is None else (Match.FULL, {"route": template.route})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises HTTPException, which the application answers, with `Allow`, as every other 405."""
        del scope, receive, send
        raise HTTPException(405)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise NoMatchFound(name, path_params)
