"""The command `retort`."""

import sys

from retort.cli.app import app
from retort.cli.show import complain
from retort.errors import ConnectionFailed, JobFailed, NotFound, RetortError, Unavailable

#: 0 ok, 1 failed job, 2 usage, 3 network, 4 not found, 130 interrupted (the job runs on)
_EXIT: tuple[tuple[type[RetortError], int], ...] = (
    (JobFailed, 1),
    (ConnectionFailed, 3),
    (Unavailable, 3),
    (NotFound, 4),
)


def main() -> None:
    """Problems are told as a sentence with a remedy, never as a trace."""
    try:
        app()
    except RetortError as error:
        complain(error)
        sys.exit(next((code for kind, code in _EXIT if isinstance(error, kind)), 2))
    except FileNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(4)
    except ValueError as error:  # a time, a version: what somebody wrote
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `retort jobs ls | head`
        sys.stderr.close()
        sys.exit(0)
