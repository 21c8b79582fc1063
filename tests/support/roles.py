"""Callers of every role."""

from app.access.keys import create_key
from app.access.rights import Role

ROLES = ("viewer", "scientist", "approver", "operator", "admin")


def bearer(resources, role=None, name=None, **options):
    """Headers of a new key of that role; None: one as keys were before there were roles."""
    with resources.database.session() as session:
        role = None if role is None else Role(role)
        key = create_key(session, name=name or f"some-{role}", role=role, **options)
    return {"Authorization": f"Bearer {key.text}"}
