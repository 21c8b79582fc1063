"""Who is asking."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from uuid import UUID

from app.access.rights import UNNAMED_ROLE, Right, Rights, Role, forbidden, rights_of

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True)
class Principal:
    """An authenticated caller; every row that it reads or makes belongs to its project."""

    project_id: UUID
    #: shown as `created_by`, e.g. `key:embedded` or `user:alice`
    name: str
    key_id: UUID | None = None
    #: None: a key that was made before there were roles
    role: Role | None = None
    #: roles of a person who has several
    also: tuple[Role, ...] = ()
    #: rights that a key was narrowed to; none: all of its role
    scopes: tuple[str, ...] = ()
    #: addresses that it may ask from; none: any
    networks: tuple[Network, ...] = ()
    #: requests; None: as the installation says, 0: as many as it likes
    rate_per_second: float | None = None
    rate_burst: int | None = None
    rights: Rights = field(init=False)

    def __post_init__(self) -> None:
        others = (rights_of(role, self.scopes) for role in self.also)
        rights = rights_of(self.role, self.scopes).union(*others)
        object.__setattr__(self, "rights", rights)

    @property
    def role_name(self) -> str:
        if self.role is None:
            return UNNAMED_ROLE
        return "+".join(role.value for role in (self.role, *self.also))

    def may(self, right: Right) -> bool:
        return right in self.rights

    def require(self, right: Right, *, instead: str = "") -> None:
        """Raises Forbidden. `instead` says what the right is needed for, where that is not plain:
        " (the job is of key:other)".
        """
        if right not in self.rights:
            raise forbidden(right, name=self.name, role=self.role_name, instead=instead)

    def require_own(self, owner: str | None, own: Right, of_anybody: Right) -> None:
        """Raises Forbidden unless it may do so to anybody's, or to its own and this is its own."""
        if self.may(of_anybody):
            return
        self.require(own)
        if owner != self.name:
            self.require(of_anybody, instead=f" (it belongs to {owner or 'nobody'})")

    def may_come_from(self, address: str | None) -> bool:
        if not self.networks:
            return True
        try:
            given = ip_address(address or "")
        except ValueError:
            return False
        mapped = getattr(given, "ipv4_mapped", None) or given
        return any(mapped in network for network in self.networks)
