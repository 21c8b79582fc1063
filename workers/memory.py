"""How much memory a child process may hold: a molecule that eats memory must not take the machine.

The kernel's out-of-memory killer would choose a victim itself, perhaps the parent or a server.
"""

import contextlib
from pathlib import Path

import psutil

#: of the machine, for one child
_SHARE = 0.8
#: what control groups tell of a container's limit (version 2, version 1)
_CGROUP_FILES = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def child_limit(configured: int) -> int:
    """Bytes: what the settings say, or four fifths of what this machine or container has."""
    return configured or int(_SHARE * _memory())


def _memory() -> int:
    total: int = psutil.virtual_memory().total
    limits = [int(text) for file in _CGROUP_FILES if (text := _read(file)).isdigit()]
    return min([total, *limits])


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:  # not in such a control group
        return ""


def resident_bytes(pid: int) -> int:
    """What the process holds now; 0 when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def family_memory(process: psutil.Process) -> tuple[int, int]:
    """Bytes of a process with all that it started, and of the largest of those; pages that they
    share are counted once.
    """
    children: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        children = process.children(recursive=True)
    shares = [0]
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            shares.append(own_share(child))
    own = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        own = own_share(process)
    return own + sum(shares), max(shares)


def own_share(process: psutil.Process) -> int:
    """Raises psutil.NoSuchProcess."""
    try:
        full = process.memory_full_info()
    except psutil.AccessDenied:  # Postgres under another account
        return int(process.memory_info().rss)
    return int(getattr(full, "pss", full.rss))  # pss: Linux only
