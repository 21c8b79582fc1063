"""This machine: environment, files with secrets, processes, pages beside ours."""

import stat
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.settings import Settings
from app.core.variables import secret_file_variables, unknown_variables
from app.resources import Resources
from workers.doctor.finding import Finding, ok

if TYPE_CHECKING:
    from workers.embedded.state import ProcessState

_FOREIGN = stat.S_IRWXG | stat.S_IRWXO
_SECONDS = 3.0


def variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    """A setting whose name is misspelt is read by nobody, and nothing else says so."""
    unknown = unknown_variables(environment, Settings)
    if not unknown:
        yield ok("settings", "no RETORT_* variable is unknown")
        return
    told = ", ".join(
        f"{name} (do you mean {nearest}?)" if nearest else name for name, nearest in unknown.items()
    )
    yield Finding(
        name="settings",
        state="warn",
        said=f"nobody reads {told}",
        why="What it was to change is as it was.",
        remedy="Correct or remove it; docs/settings.md lists all.",
    )


def secret_files(home: Path | None, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Files with secrets that others on this machine may read."""
    open_files = [path for path in _files(home, environment) if _is_open(path)]
    if not open_files:
        yield ok("secrets", "no file with secrets is open to others")
        return
    paths = " ".join(map(str, open_files))
    yield Finding(
        name="secrets",
        state="fail",
        said=f"others on this machine may read {', '.join(map(str, open_files))}",
        why="Who reads them has every right that they give.",
        remedy=f"chmod go= {paths}   (and make new secrets: they may be known)",
    )


def _files(home: Path | None, environment: Mapping[str, str]) -> Iterator[Path]:
    if home is not None:
        yield from (home / name for name in ("client.json", "api_key", "secrets.json"))
        yield home / "state.json"
        yield from home.glob("*/password")
    ours = secret_file_variables(Settings)
    for name, value in environment.items():
        theirs = name.startswith(("FLOWER_", "MLFLOW_")) and name.endswith("_FILE")
        if value and (name in ours or theirs):
            yield Path(value)


def _is_open(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:  # not there, or not ours to look at
        return False
    return stat.S_ISREG(found.st_mode) and bool(found.st_mode & _FOREIGN)


def mlflow(resources: Resources) -> Iterator[Finding]:
    address = resources.settings.mlflow_tracking_uri
    if not address.startswith(("http://", "https://")):
        return
    try:
        urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        yield ok("tracking", f"MLflow answers ({error.code})")
    except OSError as error:
        yield Finding(
            name="tracking",
            state="warn",
            said=f"MLflow does not answer: {getattr(error, 'reason', error)}",
            why="Runs and metrics of trainings are not mirrored there meanwhile; nothing is lost.",
            remedy="make up   (or docker compose up -d mlflow; or correct MLFLOW_TRACKING_URI)",
        )
    else:
        yield ok("tracking", "MLflow answers")


def processes(home: Path | None) -> Iterator[Finding]:
    """Of an embedded cluster: what its supervisor lists, and no longer runs."""
    from workers.embedded.home import Home
    from workers.embedded.state import find, read_state

    state = read_state(Home(home)) if home is not None else None
    if state is None or state.phase not in ("running", "starting"):
        return
    listed = [state.supervisor, *state.processes]
    dead = [one for one in listed if find(one) is None]
    if dead:
        yield _dead(dead)
    else:
        yield ok("processes", f"all {len(listed)} run")


def _dead(dead: "list[ProcessState]") -> Finding:
    names = ", ".join(one.name for one in dead)
    gone = any(one.name == "supervisor" for one in dead)
    return Finding(
        name="processes",
        state="fail",
        said=f"{names} died",
        why="The supervisor, too, is gone and restarts nothing."
        if gone
        else "The supervisor starts it again, slower when it keeps dying.",
        remedy="make up" if gone else f"tail .retort/logs/{dead[0].name}.log",
    )


def home_of(environment: Mapping[str, str]) -> Path | None:
    """The embedded cluster's data folder, which its processes are told."""
    given = environment.get("RETORT_HOME")
    return Path(given) if given and Path(given).is_dir() else None
