"""Bearer tokens of the organisation's OpenID Connect issuer, in place of a key.

What is checked: the signature, by a key that the issuer publishes and an asymmetric algorithm of
our list; issuer, audience, end and beginning; then what the token says of groups becomes roles.
Nothing is asked of the issuer for each request: its keys are kept, and fetched again when a token
names one that is not among them (OpenID Connect Core 1.0, section 10.1.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import GuestProtocol

from app.access.issuer_keys import IssuerKeys, PublicKey
from app.access.principal import Principal
from app.access.rights import Role
from app.core.errors import Forbidden, Unauthorized
from app.core.settings import Settings
from app.db.base import DEFAULT_PROJECT_ID

#: signatures that only the holder of a private key can make: no `none`, no shared secrets (HS)
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    # the last: as Ed25519 was called before RFC 9864, and as most issuers call it
    *("ES256", "ES384", "ES512", "Ed25519", "EdDSA"),
)
#: the most privileged first: the one that stands for a person who has several
_ORDER = (Role.ADMIN, Role.APPROVER, Role.SCIENTIST, Role.OPERATOR, Role.VIEWER)
_LEEWAY_SECONDS = 30
_LONGEST_TOKEN = 16_384
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What is believed of whom."""

    issuer: str
    audience: str
    #: where groups stand in a token, `realm_access.roles` goes deeper
    roles_claim: str = "groups"
    #: the issuer's groups, and our role for each
    roles: Mapping[str, Role]
    #: of people without any of these groups; None: they are refused
    default_role: Role | None = None
    #: what people are called by; it must be unique for ever
    name_claim: str = "sub"


def trust_of(settings: Settings) -> Trust | None:
    """None: no issuer is set."""
    if not settings.oidc_issuer:
        return None
    default = settings.oidc_default_role
    return Trust(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        roles_claim=settings.oidc_roles_claim,
        roles={group: Role(role) for group, role in settings.oidc_roles.items()},
        default_role=None if default is None else Role(default),
        name_claim=settings.oidc_name_claim,
    )


def is_token(text: str) -> bool:
    """Whether it looks like a signed JWT, and not like a key of ours."""
    return not text.startswith("rt_") and text.count(".") == 2  # noqa: PLR2004 - RFC 7515, 3.1


class TokenReader:
    """Of one process. Safe for many threads."""

    def __init__(self, trust: Trust, keys: IssuerKeys | None = None) -> None:
        self._trust = trust
        self._keys = keys or IssuerKeys(trust.issuer)
        self._claims = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": trust.issuer},
            aud={"essential": True, "value": trust.audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def principal(self, text: str) -> Principal:
        """Raises Unauthorized (`token_refused`, `token_expired`), Forbidden (`no_role`), and
        Unavailable (`issuer_unavailable`) when the issuer's keys cannot be had.
        """
        claims = self._verified(text)
        first, *others = self._roles(claims)
        return Principal(
            project_id=DEFAULT_PROJECT_ID,
            name=f"user:{self._name(claims)}",
            role=first,
            also=tuple(others),
        )

    def _verified(self, text: str) -> dict[str, Any]:
        if len(text) > _LONGEST_TOKEN:
            raise _refused(f"it is longer than {_LONGEST_TOKEN} characters")
        try:
            token = jwt.decode(text, self._key, algorithms=ALGORITHMS)
            self._claims.validate(token.claims)
        except ExpiredTokenError as error:
            raise Unauthorized("the token has expired", code="token_expired") from error
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused(_said(error)) from error
        return dict(token.claims)

    def _key(self, token: GuestProtocol) -> PublicKey:
        """By its algorithm and the name of its key. The algorithm first: for one that we do not
        take, the issuer is not asked.
        """
        headers = token.headers()
        if headers.get("alg") not in ALGORITHMS:
            raise _refused(f"it is signed by {str(headers.get('alg'))[:20]!r}")
        kid = headers.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise _refused("its key has no proper name")
        key = self._keys.find(kid)
        if key is None:
            raise _refused("the issuer publishes no such key")
        return key

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self._trust.name_claim)
        proper = isinstance(name, str) and name.isprintable() and 0 < len(name) <= _LONGEST_NAME
        if not proper:
            raise _refused(f"its claim {self._trust.name_claim!r} names nobody")
        return str(name)

    def _roles(self, claims: Mapping[str, Any]) -> list[Role]:
        """At least one, the most privileged first. Raises Forbidden."""
        groups = _groups(claims, self._trust.roles_claim)
        found = {self._trust.roles[group] for group in groups if group in self._trust.roles}
        if not found and self._trust.default_role is not None:
            found = {self._trust.default_role}
        if not found:
            raise Forbidden(
                f"none of the groups of {self._name(claims)} has a role here", code="no_role"
            )
        return [role for role in _ORDER if role in found]


def _groups(claims: Mapping[str, Any], path: str) -> list[str]:
    """A list of words, or one word. A claim whose very name has dots (a URL) goes first."""
    value: Any = claims.get(path)
    if value is None:
        value = claims
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    given = [value] if isinstance(value, str) else value
    return [group for group in given if isinstance(group, str)] if isinstance(given, list) else []


def _refused(why: str) -> Unauthorized:
    return Unauthorized(f"the token is refused: {why}", code="token_refused")


def _said(error: Exception) -> str:
    """What a person can use; never the token itself."""
    if isinstance(error, JoseError):
        return str(error.description or error.error)[:200]
    return "it cannot be read"
