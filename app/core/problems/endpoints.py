"""Problems of endpoints."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="invalid_endpoint",
        title="The endpoint cannot be as it is described",
        category="invalid",
        cause="Each field is valid, but together they mean nothing: live weights that are not 100, "
        "a shadow with a weight, a guard that nothing measures, models that predict different "
        "targets. `errors` names each place.",
        remedy="Correct the named fields; docs/endpoints.md shows what goes together.",
        example='{"routes": [{"model": "sol@champion", "mode": "shadow"}]}',
    ),
    ProblemType(
        code="target_unsupported",
        title="Endpoints are not run there",
        category="invalid",
        cause="An endpoint is served by the cluster's own warm workers, in containers or not; "
        "Retort starts nothing on Kubernetes, SageMaker or an edge device by itself.",
        remedy="Leave `target` out or set `docker`; for an edge device export the model.",
        example='{"target": "sagemaker", "routes": [...]}',
    ),
    ProblemType(
        code="endpoint_exists",
        title="There is an endpoint of this name",
        category="conflict",
        cause="POST makes new endpoints only.",
        remedy="Change it: PUT or PATCH with its ETag in If-Match.",
    ),
    ProblemType(
        code="endpoint_broken",
        title="The endpoint follows an alias that is no more",
        category="conflict",
        cause="A route with `pin: false` follows its alias, and the alias was deleted or its "
        "versions were archived.",
        remedy="Point the alias to a version again, or roll the endpoint back.",
    ),
    ProblemType(
        code="no_earlier_revision",
        title="There is nothing to go back to",
        category="conflict",
        cause="The endpoint serves its first revision.",
        remedy="Name a revision (`revision`), or change the endpoint by an update.",
    ),
    ProblemType(
        code="no_canary",
        title="No canary runs",
        category="conflict",
        cause="The active revision has no canary, or its state does not allow the action: a paused "
        "canary cannot be paused again.",
        remedy="GET /api/v1/endpoints/{name}/canary says how far it is.",
    ),
)
