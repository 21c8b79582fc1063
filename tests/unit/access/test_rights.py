"""The agreed table, cell by cell, as it was agreed on; and what scopes make of it."""

import pytest

from app.access.rights import RIGHTS_OF, Right, Role, rights_of, roles_with

#: right: viewer, scientist, approver, operator, admin
TABLE = {
    "read": "x x x x x",
    "data:write": "- x x - x",
    "jobs:write": "- x x - x",
    "predict": "- x x - x",
    "jobs:control-own": "- x x x x",
    "jobs:control": "- - x x x",
    "aliases:free": "- x x - x",
    "aliases:protected": "- - x - x",
    "endpoints:shadow": "- x x - x",
    "endpoints:rollback": "- - x x x",
    "endpoints:write": "- - x - x",
    "watch:own": "- x x x x",
    "watch:any": "- - x x x",
    "archive:own": "- x x - x",
    "archive:any": "- - - - x",
    "purge": "- - - - x",
    "cluster:read": "- - - x x",
    "cluster:write": "- - - x x",
    "access:write": "- - - - x",
    "policies:write": "- - - - x",
    "audit:read": "- - - - x",
}
ROLES = ("viewer", "scientist", "approver", "operator", "admin")


@pytest.mark.req("goal-93")
@pytest.mark.parametrize("right", TABLE)
def test_every_cell_is_as_agreed(right):
    may = [role for role, cell in zip(ROLES, TABLE[right].split(), strict=True) if cell == "x"]
    assert [role for role in ROLES if right in rights_of(Role(role))] == may
    assert sorted(roles_with(Right(right))) == sorted(may)


def test_the_table_has_every_right_and_every_role():
    assert {right.value for right in Right} == TABLE.keys()
    assert {role.value for role in RIGHTS_OF} == set(ROLES)


@pytest.mark.parametrize("role", [*Role, None])
def test_scopes_only_take_away(role):
    assert rights_of(role, ()) == rights_of(role)
    for right in Right:
        assert rights_of(role, [right.value]) == rights_of(role) & {right}
    assert rights_of(role, ["of a later release"]) == frozenset()


def test_a_key_of_before_may_no_less_than_an_approver_and_purges_nothing():
    assert rights_of(None) > rights_of(Role.APPROVER)
    assert not rights_of(None) & {Right.PURGE, Right.ACCESS_WRITE, Right.AUDIT_READ}
