"""Problems of webhooks."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="address_refused",
        title="Retort does not send to this address",
        category="invalid",
        cause="Addresses that users name are called only over https, only at public addresses, and "
        "without user, password or fragment; an installation may allow others or fewer. Private, "
        "loopback and link-local ranges stay closed, for what is in them trusts whoever is inside.",
        remedy="Use a public https:// address, or ask the operator to allow its network "
        "(RETORT_WEBHOOK_NETWORKS) or its host (RETORT_WEBHOOK_HOSTS).",
        example='{"url": "http://169.254.169.254/latest"}',
    ),
    ProblemType(
        code="too_many_webhooks",
        title="The project has as many webhooks as it may",
        category="conflict",
        cause="Each webhook is looked at with each event.",
        remedy="Remove those that nobody needs: GET /api/v1/webhooks lists them.",
    ),
    ProblemType(
        code="webhook_not_active",
        title="The webhook sends nothing now",
        category="conflict",
        cause="It was paused by somebody, or disabled because its receiver failed for days.",
        remedy='Set it going again: PATCH it with {"state": "active"}; then replay.',
    ),
    ProblemType(
        code="webhooks_unavailable",
        title="This installation cannot sign webhooks",
        category="unavailable",
        cause="Secrets of webhooks are derived from a key of the environment, and it is not there, "
        "or not the one that made them.",
        remedy="The operator sets RETORT_WEBHOOK_KEYS for gateways and workers (docs/webhooks.md).",
    ),
)
