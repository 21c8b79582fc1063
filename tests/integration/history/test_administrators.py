"""Whose key is an administrator's."""

import pytest

from app.access.keys import create_key, ensure_key, find_principal
from app.access.rights import Right, Role
from app.core.errors import Forbidden


def holder(database, text):
    with database.session() as session:
        return find_principal(session, text)


def test_a_key_is_no_administrators_unless_it_was_made_so(database):
    with database.session() as session:
        plain = create_key(session, name="plain").text
        admin = create_key(session, name="boss", is_admin=True).text
    with pytest.raises(Forbidden, match="purge, which key:plain"):
        holder(database, plain).require(Right.PURGE)
    holder(database, admin).require(Right.PURGE)


def test_the_installations_own_key_is_an_administrators(database, tmp_path):
    made = ensure_key(database, name="embedded", path=tmp_path / "none")
    assert holder(database, made).role is Role.ADMIN


def test_one_of_the_release_before_becomes_it_at_the_next_start(database, tmp_path):
    path = tmp_path / "api_key"
    with database.session() as session:
        path.write_text(create_key(session, name="embedded").text)
    assert not holder(database, path.read_text()).may(Right.ACCESS_WRITE)
    assert ensure_key(database, name="embedded", path=path) == path.read_text()
    assert holder(database, path.read_text()).may(Right.ACCESS_WRITE)
