"""Problems of who is asking."""

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
    ProblemType(
        code="token_refused",
        title="The bearer token is not accepted",
        category="unauthorized",
        cause="It is not signed by a key of the issuer that this installation trusts, is made for "
        "another audience, is not valid yet, or cannot be read.",
        remedy="Get a token from the organisation's issuer for this API's audience; docs/access.md "
        "says which settings decide. An API key works too.",
    ),
    ProblemType(
        code="token_expired",
        title="The bearer token has expired",
        category="unauthorized",
        cause="The token is genuine, but its time has passed.",
        remedy="Get a new one from the issuer (a refresh token does it), and send that.",
    ),
    ProblemType(
        code="issuer_unavailable",
        title="The issuer's keys cannot be had",
        category="unavailable",
        cause="A bearer token came, and the OpenID Connect issuer did not give the keys to check "
        "it by: it is down, cannot be reached from the gateway, or its address is wrong.",
        remedy="Send it again in a while, or use an API key, which needs no issuer. The operator "
        "looks at RETORT_OIDC_ISSUER and the gateway's log.",
        retryable=True,
    ),
    ProblemType(
        code="no_role",
        title="None of your groups has a role here",
        category="forbidden",
        cause="The token is genuine, but no group that it names stands in RETORT_OIDC_ROLES, and "
        "there is no role for everybody else.",
        remedy="Ask an administrator to put you into a group that has a role, or to give one of "
        "your groups a role.",
    ),
    ProblemType(
        code="forbidden",
        title="The key or person may not do this",
        category="forbidden",
        cause="The caller is known, but its role, or the scopes that its key was narrowed to, lack "
        "the right that this takes, or what it would change is somebody else's.",
        remedy="GET /api/v1/keys/whoami says what you may do. Ask an administrator for a key of a "
        "role that may, or ask one who may.",
        example="DELETE /api/v1/predictions/{id} with a scientist's key",
    ),
    ProblemType(
        code="address_not_allowed",
        title="The key may not be used from this address",
        category="forbidden",
        cause="The key is bound to networks, and the request comes from outside of them. Behind a "
        "proxy the address is the proxy's, unless the gateway trusts its forwarding headers.",
        remedy="Send it from one of the key's networks, or ask an administrator for a key that "
        "names yours.",
    ),
    ProblemType(
        code="beyond_own_rights",
        title="Nobody can give more than he has",
        category="forbidden",
        cause="The key would have rights that the one who makes or rotates it does not have.",
        remedy="Choose a lesser role, or scopes within your own rights: "
        "GET /api/v1/keys/whoami lists them.",
    ),
    ProblemType(
        code="last_admin_key",
        title="It is the last administrator's key",
        category="conflict",
        cause="Without it nobody could give or withdraw keys any more.",
        remedy="Make another key of role admin first, then revoke this one.",
    ),
    ProblemType(
        code="key_name_taken",
        title="A working key has this name",
        category="conflict",
        cause="What a key submits belongs to its name, so two keys of one name would own each "
        "other's jobs.",
        remedy="Choose another name, or rotate the key that has it.",
    ),
    ProblemType(
        code="key_made_before",
        title="This request made its key already",
        category="conflict",
        cause="The Idempotency-Key is that of a request which made a key. The text of a key is "
        "shown once and kept nowhere, so the first answer cannot be given again.",
        remedy="If that answer is lost, rotate the key with another Idempotency-Key, or revoke it.",
    ),
    ProblemType(
        code="key_ended",
        title="The key does not work any more",
        category="conflict",
        cause="It has expired, was revoked, or was rotated already: it cannot be rotated.",
        remedy="Make a new key: POST /api/v1/keys.",
    ),
)
