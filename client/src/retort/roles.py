"""Roles of columns, from how people say them."""

from collections.abc import Mapping, Sequence


def roles_of(
    target: str | Sequence[str] | None,
    smiles: str | None,
    roles: Mapping[str, str] | None,
) -> dict[str, str]:
    """{"column": role}; `roles` wins."""
    targets = [target] if isinstance(target, str) else list(target or ())
    said = dict.fromkeys(targets, "target") | ({smiles: "smiles"} if smiles else {})
    return said | dict(roles or {})
