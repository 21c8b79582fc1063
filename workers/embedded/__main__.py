"""`python -m workers.embedded up | run | status | wait | down`."""

import argparse
import sys
from collections.abc import Callable

from workers.embedded.commands import down, run_in_foreground, status, up, wait
from workers.embedded.home import Home

_COMMANDS: dict[str, tuple[Callable[[Home], int], str]] = {
    "up": (up, "start the cluster in the background and wait until it is ready"),
    "run": (run_in_foreground, "run it in this terminal; Ctrl-C drains and stops it"),
    "status": (status, "what runs, since when, with how much memory; exit code 1 when not all do"),
    "wait": (wait, "wait until the running cluster is ready"),
    "down": (down, "drain and stop: running jobs go back to their queues"),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.embedded", description=__doc__)
    choices = parser.add_subparsers(dest="command", required=True)
    for name, (_, summary) in _COMMANDS.items():
        choices.add_parser(name, help=summary)
    chosen: str = parser.parse_args(arguments).command
    try:
        return _COMMANDS[chosen][0](Home.find())
    except KeyboardInterrupt:  # of one that only watches; `run` drains at Ctrl-C
        print("\nThe cluster goes on; `make down` stops it.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
