"""What may be answered by what surrounds a route, written into the OpenAPI document by one rule.

A route declares what itself refuses. Whoever reads a body can refuse one that is too large, of
another media type or no JSON; whoever looks at `If-Match` can find it stale; and so on. That
follows from the shape of the operation, and one place says it for all.
"""

from typing import Any

_DOCUMENT = {"$ref": "#/components/schemas/ProblemDocument"}
_PROBLEM = {"application/problem+json": {"schema": _DOCUMENT}}
#: what the framework would document for a refusal
_REFUSAL = {"$ref": "#/components/schemas/HTTPValidationError"}
_OF_BODIES = {
    "400": "The body is malformed",
    "413": "The body is too large",
    "415": "The body is of another media type than the route takes",
}
#: of operations that take the header, in lower case
_OF_HEADERS = {
    "if-match": {
        "412": "It was changed since you read it",
        "428": "The route needs If-Match: it changes what another may have changed",
    },
    "range": {"416": "The content has no such part"},
}
_OF_CALLERS = {
    "401": "No valid API key",
    "422": "The request or the data is wrong",
    "503": "A part of the cluster does not answer; see Retry-After",
}
_OF_NAMED = {"404": "Not found", "422": "The request or the data is wrong"}
_OF_WRITES = {"409": "A state forbids it, or the same request is being answered"}
_WRITES = ("post", "put", "patch", "delete")
_UNCHANGED = "What you hold is still right"
_PART = "The part that was asked for"


def with_surroundings(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with them; what a route says itself stays."""
    for operations in document["paths"].values():
        for method, operation in operations.items():
            _complete(method, operation)
    return document


def _complete(method: str, operation: dict[str, Any]) -> None:
    parameters = operation.get("parameters", ())
    headers = {entry["name"].lower() for entry in parameters if entry["in"] == "header"}
    rules = [
        (_OF_BODIES, "requestBody" in operation),
        (_OF_CALLERS, "security" in operation),
        (_OF_NAMED, any(entry["in"] == "path" for entry in parameters)),
        (_OF_WRITES, method in _WRITES),
        *((statuses, name in headers) for name, statuses in _OF_HEADERS.items()),
    ]
    refused = {key: text for rule, holds in rules if holds for key, text in rule.items()}
    responses = operation["responses"]
    for response in responses.values():
        schemas = [entry.get("schema") for entry in response.get("content", {}).values()]
        if any(schema == _REFUSAL for schema in schemas):
            response["content"] = _PROBLEM
        for schema in filter(_is_problem, schemas):
            response["content"] = {"application/problem+json": {"schema": schema}}
    for status, text in refused.items():
        responses.setdefault(status, {"description": text, "content": _PROBLEM})
    if "if-none-match" in headers:
        responses.setdefault("304", {"description": _UNCHANGED})
    if "range" in headers:
        content = responses["200"].get("content", {})
        responses.setdefault("206", {"description": _PART, "content": content})


def _is_problem(schema: dict[str, Any] | None) -> bool:
    """Ours, or that of a system that we replace."""
    return str((schema or {}).get("$ref")).endswith("ProblemDocument")
