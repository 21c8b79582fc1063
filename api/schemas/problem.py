"""The problem document, for OpenAPI."""

from pydantic import BaseModel, ConfigDict


class FieldProblem(BaseModel):
    pointer: str
    code: str
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457; `remedy` says what to do, `request_id` leads the operator to the log."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "/problems/unknown_name",
                "title": "There is no such name",
                "status": 422,
                "detail": "there is no algorithm called 'lightgbn'",
                "instance": "/api/v1/jobs",
                "code": "unknown_name",
                "remedy": "Use one of: lightgbm, ...",
                "request_id": "5f1e",
                "errors": [],
                "retryable": False,
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    remedy: str
    request_id: str
    errors: list[FieldProblem]
    retryable: bool


#: what nearly every route may answer
PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"model": ProblemDocument, "description": text}
    for status, text in (
        (401, "No valid API key"),
        (403, "The key's role, or its scopes, lack the right that this takes"),
        (404, "Not found"),
        (422, "The request or the data is wrong"),
        (429, "More than your key or project may have; see Retry-After"),
        (503, "A part of the cluster does not answer; see Retry-After"),
    )
}
