# ruff: noqa: INP001 - a script of the image, no package
"""Prints what the gateway's image installs: pyproject.toml's dependencies, less `workers_only`, and
the extra `kafka` for the bridge, which runs from the same image.

Run in the folder of pyproject.toml; stdlib only.
"""

import re
import sys
import tomllib
from pathlib import Path


def requirements(pyproject: Path) -> list[str]:
    """Raises ValueError when `workers_only` names what is no dependency."""
    settings = tomllib.loads(pyproject.read_text())
    project = settings["project"]
    left_out = set(settings["tool"]["retort"]["workers_only"])
    lines = [*project["dependencies"], *project["optional-dependencies"]["kafka"]]
    named = {re.split(r"[\[<>=;~! ]", line)[0]: line for line in lines}
    if unknown := left_out - named.keys():
        raise ValueError(f"tool.retort.workers_only names no dependency: {sorted(unknown)}")
    return [line for name, line in named.items() if name not in left_out]


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(Path("pyproject.toml"))) + "\n")
