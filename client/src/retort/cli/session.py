"""How a command gets at the server."""

from retort import Retort


def connect() -> Retort:
    return Retort()
