"""One GPU for each process: torch takes the first that it sees, so each is shown another."""

import fcntl
import logging
import os
import tempfile
from pathlib import Path
from typing import IO

_log = logging.getLogger(__name__)
#: open as long as the process lives: the kernel gives the lock back when it dies, however it dies
_held: list[IO[str]] = []


def take_gpu(locks: Path | None = None, devices: Path = Path("/dev")) -> str | None:
    """Show this process one GPU that no other process with the same folder `locks` holds.

    Before torch is imported. Its number, which CUDA_VISIBLE_DEVICES then says; None where there is
    no GPU, or none is free: then the process sees what it saw, and shares.
    """
    folder = locks or Path(tempfile.gettempdir()) / "retort-gpus"
    gpus = _visible(devices)
    if not gpus:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    for gpu in gpus:
        handle = (folder / f"gpu-{gpu}").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            continue
        _held.append(handle)
        # numbers mean the same card in every process
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        return gpu
    _log.warning("each of the %d GPUs is taken; this process shares the first", len(gpus))
    return None


def _visible(devices: Path) -> list[str]:
    """What CUDA_VISIBLE_DEVICES allows, else a number for each of NVIDIA's device files."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [name.strip() for name in allowed.split(",") if name.strip()]
    return [str(number) for number, _ in enumerate(devices.glob("nvidia[0-9]*"))]
