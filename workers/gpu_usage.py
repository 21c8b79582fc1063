"""What the machine's NVIDIA GPUs do now, asked of the driver's own tool; none where there is none.

A process of its own, so that the worker's parent never opens a CUDA context, which would cost some
hundred megabytes of each GPU and break its children's.
"""

import csv
import logging
import shutil
import subprocess

from app.monitoring.worker_reports import GpuUsage

logger = logging.getLogger(__name__)

_TOOL = "nvidia-smi"
_QUERY = "--query-gpu=index,memory.used,memory.total,utilization.gpu"
_SECONDS = 5.0
_MIB = 1 << 20


def gpu_usages() -> list[GpuUsage]:
    """Empty without a GPU, and when the driver does not answer in time."""
    tool = shutil.which(_TOOL)
    if tool is None:
        return []
    try:
        told = subprocess.run(
            [tool, _QUERY, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        logger.info("the GPUs do not tell of themselves: %s", error)
        return []
    rows = csv.reader(told.splitlines(), skipinitialspace=True)
    return [usage for row in rows if (usage := _parse(row)) is not None]


def _parse(row: list[str]) -> GpuUsage | None:
    """None where a figure is not told (`[N/A]` of a divided GPU)."""
    try:
        index, used, total, busy = row
        return GpuUsage(
            index=index,
            memory_used=int(used) * _MIB,
            memory_total=int(total) * _MIB,
            busy=int(busy) / 100,
        )
    except ValueError:
        return None
