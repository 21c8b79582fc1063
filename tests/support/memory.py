"""How much memory a process has held."""

import re
from pathlib import Path


def peak_bytes(pid: int | str = "self") -> int | None:
    """VmHWM, in bytes; None once the process is gone.

    Not `ru_maxrss`: Linux hands the high-water mark of the parent on to what it starts, so that a
    small child of a large test run would look large.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
