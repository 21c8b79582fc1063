"""Is the audit log what it was? The chain proves each entry, the anchors prove its end.

Whoever may write to the tables can compute a new chain, or cut the end off. So once a day the
newest hash is written to the blob store, which is another place with other rights: a chain that
does not lead through every anchor has been rewritten, one that ends before an anchor has been cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any
from uuid import UUID

import orjson

from app.access.chain import GENESIS, hash_of_entry, head_of, lock_chain, seal, sealed_pages
from app.db.database import Database
from app.storage import keys
from app.storage.base import Storage


@dataclass(frozen=True, kw_only=True)
class Breach:
    """The first place where the log is not what it was."""

    #: place in the chain, from 1
    number: int
    #: the entry that stands there, if one does
    entry_id: UUID | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    #: entries that were checked, up to the breach
    entries: int
    breach: Breach | None
    #: of the last entry checked
    head: str
    #: anchor files that the chain was compared with
    anchors: int


def verify(db: Database, storage: Storage, project_id: UUID) -> Verification:
    """Walks through all of it; what waits is sealed first."""
    seal(db, project_id, wait=True)
    anchors = read_anchors(storage, project_id)
    number, prev = 0, GENESIS
    for row in chain.from_iterable(sealed_pages(db, project_id)):
        breach = _wrong(row, number + 1, prev, anchors)
        if breach is not None:
            return _found(number, prev, anchors, breach)
        number, prev = row["number"], row["hash"]
    last = max(anchors, default=0)
    if last > number:
        reason = f"the anchor knows {last:,} entries: the last {last - number:,} are gone"
        return _found(
            number, prev, anchors, Breach(number=number + 1, entry_id=None, reason=reason)
        )
    return _found(number, prev, anchors, None)


def _wrong(
    row: Mapping[str, Any], number: int, prev: str, anchors: Mapping[int, str]
) -> Breach | None:
    if row["number"] != number:
        gone = row["number"] - number
        return Breach(number=number, entry_id=None, reason=f"{gone:,} entries are gone from here")
    reason = None
    if row["prev_hash"] != prev:
        reason = "it does not follow the entry before"
    elif row["hash"] != hash_of_entry(row, number, prev):
        reason = "it was altered: its hash is another one"
    elif anchors.get(number, row["hash"]) != row["hash"]:
        reason = "it, or one before it, was rewritten: the anchor file has another hash"
    return None if reason is None else Breach(number=number, entry_id=row["id"], reason=reason)


def _found(
    entries: int, head: str, anchors: Mapping[int, str], breach: Breach | None
) -> Verification:
    return Verification(entries=entries, breach=breach, head=head, anchors=len(anchors))


# ---- anchors


def anchor_all(db: Database, storage: Storage) -> int:
    """Today's anchor (by the database's clock) of every project that has entries and none yet; how
    many. Safe to run twice at once: one process at a time writes a project's.
    """
    with db.cursor() as cursor:
        cursor.execute("SELECT id, (now() AT TIME ZONE 'UTC')::date::text AS day FROM projects")
        rows = cursor.fetchall()
    return sum(_anchor(db, storage, row["id"], row["day"]) for row in rows)


def _anchor(db: Database, storage: Storage, project_id: UUID, day: str) -> bool:
    key = keys.audit_anchor(project_id, day)
    if storage.exists(key):
        return False
    seal(db, project_id, wait=True)
    with db.cursor() as cursor:
        if not lock_chain(cursor, project_id, wait=False) or storage.exists(key):
            return False
        number, head = head_of(cursor, project_id)
        if number == 0:
            return False
        body = {"project_id": str(project_id), "day": day, "number": number, "hash": head}
        storage.write(key, orjson.dumps(body))
    return True


def read_anchors(storage: Storage, project_id: UUID) -> dict[int, str]:
    """{place in the chain: hash}"""
    found: dict[int, str] = {}
    for key in storage.list(keys.audit_anchors(project_id)):
        anchor = orjson.loads(storage.read(key))
        found[anchor["number"]] = anchor["hash"]
    return found
