"""Which account Postgres runs under: it refuses root, so that root lends it an ordinary one."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict


class Identity(TypedDict, total=False):
    """The arguments of `subprocess` that say who a child is."""

    user: int
    group: int
    extra_groups: list[str | int]


@dataclass(frozen=True, kw_only=True)
class Account:
    """An ordinary account that a child process is started under."""

    uid: int
    gid: int


def identity(account: Account | None) -> Identity:
    """How to start a child as `account`; None: as whoever we are."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def unprivileged_account() -> Account | None:
    """The account for a server that refuses root; None when this process is not root itself.

    `postgres` where the machine has it, else `nobody`. Raises `LookupError` when it has neither.
    """
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return Account(uid=known[name].pw_uid, gid=known[name].pw_gid)
    raise LookupError("this machine has no account `postgres` or `nobody` to run Postgres under")


def owner_of(path: Path) -> Account | None:
    """The account that a server must run under to use `path` again; None: our own."""
    entry = path.stat()
    if entry.st_uid == os.geteuid():
        return None
    return Account(uid=entry.st_uid, gid=entry.st_gid)


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether `account` may enter the folder `path` (or run the file)."""
    who = identity(account)
    found = subprocess.run(["test", "-x", str(path)], cwd="/", check=False, **who)
    return found.returncode == 0
