"""What the exit code of `python -m workers.take_one` says; 2 is wrong usage."""

from enum import IntEnum


class Code(IntEnum):
    """Numbers as in sysexits.h, where it has one."""

    #: the job succeeded or was cancelled by somebody, or there was none
    WELL = 0
    #: the job failed; its `error` says why
    FAILED = 1
    #: Postgres did not answer
    UNAVAILABLE = 69
    #: the job has not ended: an outage, or its process died; it will be tried again
    AGAIN = 75
    #: told to end (128 + SIGTERM); the job is back in its queue
    TOLD_TO_END = 143
