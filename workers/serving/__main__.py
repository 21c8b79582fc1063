"""One serving process: `python -m workers.serving [--in-hand FD] [--first]`.

FD is a file that the parent has open too: the process writes there what it has in hand.
"""

import argparse
import gc

from threadpoolctl import threadpool_limits

from app.core.settings import get_settings
from app.models.libraries import load_libraries
from app.resources import get_resources
from workers.logs import configure_logging
from workers.serving.in_hand import InHandFile
from workers.serving.server import Server
from workers.stop_signals import on_stop


def main() -> None:
    parser = argparse.ArgumentParser(description="Answers predictions at once.")
    parser.add_argument("--in-hand", type=int, help="descriptor of a file that the parent reads")
    parser.add_argument("--first", action="store_true", help="of its worker: it takes FIRST too")
    given = parser.parse_args()
    descriptor: int | None = given.in_hand
    settings = get_settings()
    configure_logging(settings, role="serving")
    resources = get_resources()
    watch = () if descriptor is None else (InHandFile(descriptor).tell,)
    server = Server(resources, *watch, first=given.first)
    on_stop(server.stop)
    load_libraries()
    # what is there now stays: the collector need not walk through it again and again
    gc.freeze()
    with threadpool_limits(settings.worker_threads):
        server.run()


if __name__ == "__main__":
    main()
