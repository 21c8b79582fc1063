"""Swagger UI at /docs, of this server alone: no content network, no script in the page."""

from importlib.resources import files

from fastapi import APIRouter, Response

from api.rights import OPEN, Guarded
from app.core.errors import NotFound
from app.core.names import shown

router = APIRouter(route_class=Guarded, dependencies=[OPEN], include_in_schema=False)

#: only what this server serves; Swagger UI's style sheet draws its arrows from data: images
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Retort API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/docs/favicon.png"><link rel="stylesheet" href="/docs/swagger-ui.css">
</head><body><div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>
</body></html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis], validatorUrl: null
});
"""
#: those of the package that we serve, and what they are
_SHIPPED = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon.png": "image/png",
}


@router.get("/docs")
async def page() -> Response:
    """Every route with its forms, to look at and to try."""
    return Response(
        _PAGE, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY}
    )


@router.get("/docs/{name}")
def asset(name: str) -> Response:
    """One of the page's files, as the package `fastapi-offline` ships them."""
    kept = {"Cache-Control": "public, max-age=86400"}
    if name == "start.js":
        return Response(_START, media_type="text/javascript; charset=utf-8", headers=kept)
    if name not in _SHIPPED:
        raise NotFound(
            f"the documentation has no file {shown(name)}", remedy="The page itself is /docs."
        )
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    return Response(content, media_type=_SHIPPED[name], headers=kept)
