"""Problems of API keys."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="unauthorized",
        title="A valid API key is needed",
        category="unauthorized",
        cause="The request carries no key, or one that is not known here: mistyped, cut off, or of "
        "another installation.",
        remedy="Send `Authorization: Bearer <key>`; `make status` says where the key file is.",
        example="curl http://host:8000/api/v1/jobs without the header",
    ),
    ProblemType(
        code="key_expired",
        title="The API key has expired",
        category="unauthorized",
        cause="The key is genuine, but the time until which it was given has passed.",
        remedy="Ask the operator for a new key and send that one.",
    ),
    ProblemType(
        code="key_revoked",
        title="The API key was revoked",
        category="unauthorized",
        cause="The key is genuine, but somebody withdrew it.",
        remedy="Ask the operator for a new key and send that one.",
    ),
)
