"""Who may do what: rights, and the roles that hold them. The one table; docs/access.md shows it."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from app.core.errors import Forbidden


class Right(StrEnum):
    """What a route may ask for. The values are the scopes that a key may be narrowed to."""

    #: look at everything in the project, download it
    READ = "read"
    #: upload, ingest, describe and label data sets and models, record measured outcomes
    DATA_WRITE = "data:write"
    #: submit jobs of any kind
    JOBS_WRITE = "jobs:write"
    #: ask a model at once
    PREDICT = "predict"
    #: cancel, retry, rerun and relabel jobs that one submitted oneself
    JOBS_CONTROL_OWN = "jobs:control-own"
    #: the same with anybody's jobs
    JOBS_CONTROL = "jobs:control"
    #: point aliases that nothing protects
    ALIASES_FREE = "aliases:free"
    #: point @champion and the aliases whose policy is required
    ALIASES_PROTECTED = "aliases:protected"
    #: add and remove shadows of an endpoint: nobody's answer changes
    ENDPOINTS_SHADOW = "endpoints:shadow"
    #: put an endpoint back to a revision that it had; abort a canary
    ENDPOINTS_ROLLBACK = "endpoints:rollback"
    #: create, change and archive endpoints, run canaries
    ENDPOINTS_WRITE = "endpoints:write"
    #: monitors, schedules and webhooks of one's own
    WATCH_OWN = "watch:own"
    #: anybody's
    WATCH = "watch:any"
    #: archive and restore model versions that one's own jobs made
    ARCHIVE_OWN = "archive:own"
    #: anybody's
    ARCHIVE = "archive:any"
    #: delete what cannot be brought back
    PURGE = "purge"
    #: look at workers, queues, cache and metrics
    CLUSTER_READ = "cluster:read"
    #: drain workers, empty caches
    CLUSTER_WRITE = "cluster:write"
    #: users, API keys and what they may do
    ACCESS_WRITE = "access:write"
    #: what an alias asks of a version; policies of the project
    POLICIES_WRITE = "policies:write"
    #: read and export the audit log
    AUDIT_READ = "audit:read"


class Role(StrEnum):
    """What a person or a program is here for. Each is one column of the table."""

    VIEWER = "viewer"
    SCIENTIST = "scientist"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"


Rights = frozenset[Right]

_VIEWER: Rights = frozenset({Right.READ})
_SCIENTIST: Rights = _VIEWER | {
    Right.DATA_WRITE,
    Right.JOBS_WRITE,
    Right.PREDICT,
    Right.JOBS_CONTROL_OWN,
    Right.ALIASES_FREE,
    Right.ENDPOINTS_SHADOW,
    Right.WATCH_OWN,
    Right.ARCHIVE_OWN,
}
_APPROVER: Rights = _SCIENTIST | {
    Right.JOBS_CONTROL,
    Right.ALIASES_PROTECTED,
    Right.ENDPOINTS_ROLLBACK,
    Right.ENDPOINTS_WRITE,
    Right.WATCH,
}
_OPERATOR: Rights = _VIEWER | {
    Right.JOBS_CONTROL_OWN,
    Right.JOBS_CONTROL,
    Right.ENDPOINTS_ROLLBACK,
    Right.WATCH_OWN,
    Right.WATCH,
    Right.CLUSTER_READ,
    Right.CLUSTER_WRITE,
}

RIGHTS_OF: Mapping[Role, Rights] = {
    Role.VIEWER: _VIEWER,
    Role.SCIENTIST: _SCIENTIST,
    Role.APPROVER: _APPROVER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Right),
}

#: what a key that was made before there were roles goes by; nobody can be given it
UNNAMED_ROLE = "member"
#: and what it may do: as much as before, which is a little more than an approver
RIGHTS_OF_UNNAMED: Rights = _APPROVER | {
    Right.ARCHIVE,
    Right.POLICIES_WRITE,
    Right.CLUSTER_READ,
}


def rights_of(role: Role | None, scopes: Iterable[str] = ()) -> Rights:
    """What a holder of `role` may do; scopes only take away. None: of a key without a role.

    A scope that this release does not know gives nothing.
    """
    held = RIGHTS_OF_UNNAMED if role is None else RIGHTS_OF[role]
    narrowed = frozenset(scopes)
    return held if not narrowed else frozenset(right for right in held if right in narrowed)


def roles_with(right: Right) -> list[Role]:
    return [role for role, rights in RIGHTS_OF.items() if right in rights]


def forbidden(right: Right, *, name: str, role: str, instead: str = "") -> Forbidden:
    """The refusal: which right, which role lacks it, and whom to ask."""
    able = ", ".join(role.value for role in roles_with(right))
    return Forbidden(
        f"this needs the right {right.value}{instead}, which {name} (role {role}) does not have",
        remedy=f"Ask an administrator for a key of one of the roles that have it ({able}), or one "
        "whose scopes are wider. GET /api/v1/keys/whoami says what yours may do.",
    )
