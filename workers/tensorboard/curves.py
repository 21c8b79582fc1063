"""From the log of jobs to the files that TensorBoard reads; one run for each job."""

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

from tensorboard.summary import Writer

from app.jobs.figures import Figure, FigureLog

#: files that are open at once; a run whose file was closed gets another, which TensorBoard joins
_MOST_OPEN = 50
_UNSAFE = re.compile(r"[^\w.-]+")


class Curves:
    """The folder is only a view of the log: whoever begins again writes it anew."""

    def __init__(self, log: FigureLog, folder: Path) -> None:
        self._log = log
        self._folder = folder
        self._writers: OrderedDict[str, Any] = OrderedDict()

    def write(self) -> int:
        """What is new; how many figures. Raises psycopg.OperationalError, OSError."""
        figures = self._log.new()
        for figure in figures:
            writer = self._writer(run_of(figure))
            for name, value in figure.values.items():
                writer.add_scalar(name, value, step=figure.step, wall_time=figure.at.timestamp())
        if figures:
            for writer in self._writers.values():
                writer.flush()
        return len(figures)

    def close(self) -> None:
        while self._writers:
            self._writers.popitem()[1].close()

    def _writer(self, run: str) -> Any:
        if run not in self._writers:
            self._writers[run] = Writer(str(self._folder / run))
        self._writers.move_to_end(run)
        while len(self._writers) > _MOST_OPEN:
            self._writers.popitem(last=False)[1].close()
        return self._writers[run]


def run_of(figure: Figure) -> str:
    """A folder's name: kind, name and id of the job, e.g. train-solubility-0198..."""
    name = _UNSAFE.sub("_", figure.name)[:60]
    return "-".join(part for part in (figure.kind, name, str(figure.job_id)) if part)
