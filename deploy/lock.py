# ruff: noqa: INP001 - a script, no package
"""Prints requirements.lock: every installed distribution, pinned, for any machine.

No local version (torch's `+cpu` is one build of many), no path, no index: where packages come from
is pip's own configuration.
"""

import re
import sys
from importlib.metadata import distributions

#: ours, and what every environment brings itself
_NOT_LOCKED = {"retort-server", "retort-client", "pip"}
#: needed by some of the Pythons, or had by some of the systems, that we support only
_CONDITIONAL = {
    "async-timeout": "async-timeout==5.0.1 ; python_full_version < '3.11.3'",
    "xgboost-cpu": "xgboost-cpu==3.2.0 ; sys_platform == 'linux'",
}


def pins() -> list[str]:
    """One line per distribution, sorted by name."""
    lines = dict(_CONDITIONAL)
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        if name not in _NOT_LOCKED | _CONDITIONAL.keys():
            lines[name] = f"{name}=={distribution.version.split('+')[0]}"
    return [lines[name] for name in sorted(lines)]


if __name__ == "__main__":
    header = "# Made by `make lock`: the set that is tested together (runtime and development)."
    sys.stdout.write("\n".join([header, *pins()]) + "\n")
