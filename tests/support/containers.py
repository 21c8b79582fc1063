"""The services of docker-compose.yml as processes of this machine: the very commands, environments
and health checks of the file; only addresses and folders are those of the test.
"""

import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.compose import ROOT, health_command, interpolated, read

#: what an image of ours brings of its own, beside the environment of the file
_IMAGE_ENV = re.compile(r"(RETORT_\w+)=(\S+)")
_PASSED_ON = ("PATH", "LANG", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
#: imports of these fail, as in the gateway's image
_BLOCKED = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is not in this image", name=name)

sys.meta_path.insert(0, Missing())
"""


def missing_in_gateway() -> set[str]:
    """Top-level packages of what `workers_only` in pyproject.toml names."""
    from importlib.metadata import packages_distributions

    from packaging.utils import canonicalize_name

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["retort"]
    left_out = {canonicalize_name(name) for name in settings["workers_only"]}
    return {
        package
        for package, sources in packages_distributions().items()
        if {canonicalize_name(source) for source in sources} & left_out
    }


@dataclass(kw_only=True)
class Host:
    """Where containers run: a folder for theirs, and what their addresses are here."""

    folder: Path
    #: {"postgres:5432": "127.0.0.1:40001", ...}, also for what listens: {"8000": "40002"}
    addresses: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services: dict[str, Any] = interpolated(read()["services"], {})
        self.secrets = self.folder / "run/secrets"
        self.secrets.parent.mkdir(parents=True)
        runpy.run_path(str(ROOT / "deploy/docker/make_secrets.py"))["make"](self.secrets)
        blocked = self.folder / "blocked"
        blocked.mkdir()
        (blocked / "sitecustomize.py").write_text(_BLOCKED.format(names=missing_in_gateway()))
        # the image's /srv/retort, which the containers may not write to
        self.home = self.folder / "srv"
        self.home.mkdir()
        for name in ("alembic.ini", "migrations"):
            (self.home / name).symlink_to(ROOT / name)
        for name in ("create_key.py", "create_bucket.py"):
            (self.home / name).symlink_to(ROOT / "deploy/docker" / name)

    def environment(self, name: str) -> dict[str, str]:
        service = self.services[name]
        found: dict[str, str] = {}
        path = [str(ROOT)]
        if service["build"]["target"] == "gateway":
            path.insert(0, str(self.folder / "blocked"))
            text = (ROOT / "deploy/docker/Dockerfile").read_text()
            found |= dict(_IMAGE_ENV.findall(text.split("AS gateway\n")[-1]))
        for file in service.get("env_file", []):
            lines = (self.secrets / Path(file).name).read_text().splitlines()
            found |= dict(line.split("=", 1) for line in lines)
        found |= {key: str(value) for key, value in service["environment"].items()}
        here = {key: self._here(value, name) for key, value in found.items()}
        here |= {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        tmp = str(self._tmp(name))
        here |= {"HOSTNAME": socket.gethostname(), "HOME": tmp, "TMPDIR": tmp}
        return here | {"PYTHONPATH": os.pathsep.join(path)}

    def run(self, name: str, *command: str) -> str:
        """`docker compose exec`, or a service that ends; what it printed."""
        done = subprocess.run(
            self._command(name, list(command) or self.services[name]["command"]),
            cwd=self.home,
            env=self.environment(name),
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self._command(name, self.services[name]["command"]),
                cwd=self.home,
                env=self.environment(name),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_healthy(self, name: str) -> bool:
        """The health check of the file. Fails when the process has ended."""
        log = self.folder / f"{name}.log"
        assert self.processes[name].poll() is None, f"{name} ended: {log.read_text()[-3000:]}"
        try:
            checked = subprocess.run(
                self._command(name, health_command(self.services[name])),
                cwd=self.home,
                env=self.environment(name),
                check=False,
                capture_output=True,
                timeout=60,
            )
        except subprocess.TimeoutExpired:  # to Docker too that is "not healthy"
            return False
        return checked.returncode == 0

    def stop(self) -> dict[str, float | None]:
        """SIGTERM to all; the exit code of each that ended within its grace, else None."""
        for process in self.processes.values():
            process.terminate()
        return {name: self._ended(name) for name in self.processes}

    def kill(self) -> None:
        for process in self.processes.values():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait(timeout=10)

    def _ended(self, name: str) -> int | None:
        # Docker's own is 10 s
        grace = float(str(self.services[name].get("stop_grace_period", "10s")).rstrip("s"))
        try:
            return self.processes[name].wait(timeout=grace)
        except subprocess.TimeoutExpired:
            return None

    def _command(self, name: str, words: list[str]) -> list[str]:
        here = [self._here(word, name) for word in words]
        return [sys.executable if word == "python" else word for word in here]

    def _here(self, text: str, name: str) -> str:
        for theirs, ours in self.addresses.items():
            text = re.sub(rf"(?<![\w.]){re.escape(theirs)}(?!\w)", ours, text)
        text = re.sub(r"^/tmp\b|(?<=')/tmp\b", str(self._tmp(name)), text)
        text = re.sub(r"^/run/secrets", str(self._secrets_of(name)), text)
        text = re.sub(r"^/var/lib/", f"{self.folder}/var/lib/", text)
        return re.sub(r"(?<=sh -c )python\b|^python (?=-m celery)", f"{sys.executable} ", text)

    def _secrets_of(self, name: str) -> Path:
        """What is mounted into this container: its own secrets and no others."""
        folder = self.folder / "mounted" / name
        folder.mkdir(parents=True, exist_ok=True)
        for secret in self.services[name].get("secrets", ()):
            mounted = folder / secret
            if not mounted.exists():
                mounted.hardlink_to(self.secrets / secret)
        return folder

    def _tmp(self, name: str) -> Path:
        path = self.folder / "tmp" / name
        path.mkdir(parents=True, exist_ok=True)
        return path
