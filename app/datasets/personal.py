"""Columns about people: dropped or hashed where a file is opened, before anything is made of it.

What is dropped here was never read for all that follows: no part, no report, no refused row, no
model has it. What is hashed keeps equal values equal (HMAC-SHA256 under RETORT_PERSONAL_KEY, which
whoever guesses values does not have), may be an identifier or a split, and is never learned from.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence

from app.core.errors import FieldError, InvalidInput, UnknownName
from app.core.names import near
from app.datasets.params import ColumnRole, Personal
from app.datasets.readers.table import SourceRow, Table
from app.storage import EncryptedStorage, Storage

_MAY_BE = ("id", "split", "ignore")
_MAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_NAMED = re.compile(
    r"(^|[_\s.-])(e[_-]?mail|phone|mobile|ssn|birth(day|date)?|dob|address|"
    r"(first|last|full|sur|family|given|patient|customer|user|person|operator)[_\s-]?name)s?$",
    re.IGNORECASE,
)
_MOST = 0.5
_SHOWN = 20


def protect(
    table: Table, personal: Mapping[str, Personal], roles: Mapping[str, ColumnRole], key: str
) -> None:
    """The table without its personal columns, or with hashes in them.

    Raises UnknownName for a column that the file does not have, InvalidInput for one that is to be
    learned from, and for hashes without a key.
    """
    if not personal:
        return
    _check(table.columns, personal, roles, key)
    dropped = {name for name, how in personal.items() if how == "drop"}
    hashed = [name for name, how in personal.items() if how == "hash"]
    table.columns = [name for name in table.columns if name not in dropped]
    table.rows = _protected(table.rows, dropped, hashed, key.encode())
    table.notes += [f"{name!r} is personal: {_DONE[how]}" for name, how in personal.items()]


def roles_with(
    personal: Mapping[str, Personal], roles: Mapping[str, ColumnRole]
) -> dict[str, ColumnRole]:
    """What a hashed column is for, unless a person says so: nothing."""
    hashed: dict[str, ColumnRole] = {n: "ignore" for n, how in personal.items() if how == "hash"}
    return {**hashed, **roles}


def keep_sealed(storage: Storage, key: str) -> None:
    """The raw upload, which still has the columns, is sealed with the storage key from now on.

    Raises InvalidInput when there is no storage key.
    """
    if not isinstance(storage, EncryptedStorage) or not storage.seals:
        raise InvalidInput(
            "a file with personal columns is kept only where blobs are sealed, and they are not",
            remedy="The operator sets RETORT_STORAGE_KEY (docs/security.md); or take the columns "
            "out of the file and upload it again.",
        )
    if not storage.is_current(key):
        storage.seal_again(key)


def suspicions(names: Sequence[str], sample: Sequence[SourceRow]) -> list[str]:
    """Notes on columns that look as if they were about people."""
    found = [name for name in names if _NAMED.search(name.strip()) or _holds_mail(name, sample)]
    return [
        f"{name!r} looks personal: `personal` drops it ({{{name!r}: 'drop'}}) or hashes it"
        for name in found[:_SHOWN]
    ]


_UNREADABLE = "the row cannot be read (its cells are not shown, some are personal)"
_DONE = {"drop": "it was dropped before anything was stored", "hash": "it is kept as hashes"}


def _holds_mail(name: str, sample: Sequence[SourceRow]) -> bool:
    cells = [cell for row in sample if (cell := (row.cells.get(name) or "").strip())]
    mails = sum(_MAIL.fullmatch(cell) is not None for cell in cells)
    return bool(cells) and mails > _MOST * len(cells)


def _check(
    names: Sequence[str],
    personal: Mapping[str, Personal],
    roles: Mapping[str, ColumnRole],
    key: str,
) -> None:
    wrong = [name for name in personal if name not in names]
    if wrong:
        close = near(wrong[0], names) or list(names[:_SHOWN])
        raise UnknownName(
            f"the file has no column {wrong[0]!r}",
            remedy=f"Nearest columns of the file: {', '.join(map(repr, close))}.",
            errors=[_about(name, "unknown_name") for name in wrong],
        )
    used = [
        name
        for name, how in personal.items()
        if name in roles and (how == "drop" or roles[name] not in _MAY_BE)
    ]
    if used:
        raise InvalidInput(
            f"the column {used[0]!r} is personal and has the role {roles[used[0]]}",
            code="conflicting_roles",
            remedy="A dropped column has no role; a hashed one may be id, split or ignore.",
            errors=[_about(name, "conflicting_roles") for name in used],
        )
    if "hash" in personal.values() and not key:
        raise InvalidInput(
            "personal columns cannot be hashed: there is no key for it",
            remedy="The operator sets RETORT_PERSONAL_KEY (or _FILE); or drop the column.",
        )


def _about(name: str, code: str) -> FieldError:
    return FieldError(pointer=f"/personal/{name}", code=code, detail=f"column {name!r}")


def _protected(
    rows: Iterator[SourceRow], dropped: set[str], hashed: Sequence[str], key: bytes
) -> Iterator[SourceRow]:
    for row in rows:
        cells = {name: cell for name, cell in row.cells.items() if name not in dropped}
        for name in hashed:
            if text := (cells.get(name) or "").strip():
                cells[name] = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        # why a row cannot be read may quote its cells
        reason = row.reason and _UNREADABLE
        yield SourceRow(row=row.row, cells=cells, reason=reason)
