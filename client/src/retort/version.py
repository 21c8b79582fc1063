"""The installed version of the client."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("retort-client")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0"


__version__ = _installed()
