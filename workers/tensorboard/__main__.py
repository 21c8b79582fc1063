"""`python -m workers.tensorboard --host H --port P`: TensorBoard, over a folder of its own that the
curves of jobs are written into as Postgres learns of them. It has no login and changes nothing.
"""

import argparse
import importlib.util
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Event

from app.jobs.outages import is_outage
from app.resources import Resources, get_resources
from workers.logs import configure_logging
from workers.stop_signals import on_stop

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_RELOAD_SECONDS = 5
_END_SECONDS = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.tensorboard", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6006)
    options = parser.parse_args()
    resources = get_resources()
    configure_logging(resources.settings, role="tensorboard")
    if importlib.util.find_spec("tensorboard") is None:
        logger.error("TensorBoard is not installed: pip install '.[tensorboard]'")
        return 2
    stop = Event()
    on_stop(stop.set)
    with tempfile.TemporaryDirectory(prefix="retort-tensorboard-") as folder:
        server = subprocess.Popen(_command(Path(folder), options.host, options.port))
        try:
            return _write(resources, Path(folder), server, stop)
        finally:
            server.terminate()
            try:
                server.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _command(folder: Path, host: str, port: int) -> list[str]:
    """Its own reader in Python: the faster one is a binary that takes half of the package."""
    where = ["--logdir", str(folder), "--host", host, "--port", str(port)]
    reading = ["--load_fast", "false", "--reload_interval", str(_RELOAD_SECONDS)]
    return [sys.executable, "-m", "tensorboard.main", *where, *reading]


def _write(
    resources: Resources, folder: Path, server: "subprocess.Popen[bytes]", stop: Event
) -> int:
    from app.jobs.figures import FigureLog
    from workers.tensorboard.curves import Curves

    curves = Curves(FigureLog(resources.database), folder)
    while not stop.wait(_LOOK_SECONDS):
        if (code := server.poll()) is not None:
            logger.error("TensorBoard has ended with status %s", code)
            return 1
        try:
            curves.write()
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("the curves wait: %s", error)
    curves.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
