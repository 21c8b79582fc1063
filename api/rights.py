"""Every route says which right it needs; who lacks it is refused before the body is read.

    router = APIRouter(route_class=Guarded, ...)
    @router.post("", dependencies=[needs(Right.JOBS_WRITE)])

A `Guarded` route that declares nothing does not come to be (TypeError at import). What a right is
and who holds it: app/access/rights.py.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from api.dependencies import Caller, caller_of
from app.access.rights import Right


class Needs:
    """A dependency, so that a router of another class asks too, if later: after the body."""

    def __init__(self, right: Right) -> None:
        self.right = right

    async def __call__(self, caller: Caller) -> None:
        caller.require(self.right)


class Open:
    """No key is needed."""

    async def __call__(self) -> None:
        return


class Known:
    """Any valid key will do, whatever its rights: what one may ask about oneself."""

    async def __call__(self, caller: Caller) -> None:
        del caller


Declared = Needs | Open | Known


def needs(right: Right) -> Any:
    """Of a route whose rows differ by owner or name: the least that it takes; the route asks for
    the rest where it knows the row.
    """
    return Depends(Needs(right))


OPEN: Any = Depends(Open())
KNOWN: Any = Depends(Known())


class Guarded(APIRoute):
    """Asks first who comes, and whether he may, and only then reads what he sends."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        declared(self)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer: Callable[[Request], Awaitable[Response]] = super().get_route_handler()
        needed = declared(self)

        async def guarded(request: Request) -> Response:
            if not isinstance(needed, Open):
                caller = await caller_of(request)
                if isinstance(needed, Needs):
                    caller.require(needed.right)
            return await answer(request)

        return guarded


def declared(route: APIRoute) -> Declared:
    """Raises TypeError where nothing is declared."""
    for dependency in route.dependencies:
        if isinstance(dependency.dependency, Needs | Open | Known):
            return dependency.dependency
    raise TypeError(
        f"{route.path} ({route.name}) does not say who may use it: add "
        "dependencies=[needs(Right.X)], KNOWN for every caller, or OPEN for everybody"
    )
