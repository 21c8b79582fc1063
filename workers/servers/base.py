"""What the private servers share: a free port, a start that waits for the answer, an end."""

import signal
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from workers.accounts import Account
from workers.child import Child

_LINES_OF_LOG = 8


class ServerStartError(RuntimeError):
    """A server did not start; the message ends with what it wrote."""


def free_port(preferred: int | None = None) -> int:
    """A free TCP port of 127.0.0.1: `preferred` when nobody holds it. Nobody else is given the port
    in the next minute, by this function or as the own end of a connection; a server that listens
    with SO_REUSEADDR, as servers do, may take it at once.
    """
    for port in (preferred or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                _keep_for_a_minute(probe)
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise ServerStartError("this machine has no free TCP port left")


def _keep_for_a_minute(probe: socket.socket) -> None:
    """A connection that the listening side closes first leaves the port in TIME_WAIT, which the
    kernel does not hand out (Yelp's ephemeral-port-reserve).
    """
    probe.listen(1)
    with socket.create_connection(probe.getsockname()) as caller:
        called, _ = probe.accept()
        called.close()
        caller.recv(1)


def tail(path: Path, lines: int = _LINES_OF_LOG) -> str:
    """The last lines of a log, as one indented block."""
    if not path.exists():
        return "(no log)"
    found = path.read_text(errors="replace").splitlines()[-lines:]
    return "\n    ".join(["", *found]) if found else "(it wrote nothing)"


class Server(ABC):
    """Start, stop, kill. `folder` holds all that the server keeps; `url` is known once started."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, *, port: int | None = None, log: Path | None = None) -> None:
        """Use `port` (0 or None: a free one) and write to `log` (None: a file in the folder)."""
        self.folder = folder.absolute()
        self.port = port or free_port()
        self.account: Account | None = None
        self.child: Child | None = None
        self._log = log

    @property
    def log(self) -> Path:
        return self._log or self.folder / f"{self.name}.log"

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it, with the password in it."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what the first start needs; cheap at later ones."""

    @abstractmethod
    def command(self) -> list[str]:
        """The server in the foreground; valid once prepared."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers a question now."""

    def launch(self) -> Child:
        """Start the process without waiting for an answer."""
        self.prepare()
        self.child = Child(
            self.command(),
            log=self.log,
            cwd=self.folder,
            account=self.account,
            stop_signal=self.stop_signal,
        )
        return self.child

    def start(self, timeout: float = 60.0) -> str:
        """Start, wait until it answers, return its URL. Raises `ServerStartError`."""
        self.launch()
        self.wait_until_ready(timeout)
        return self.url

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Raises `ServerStartError` when it ended, or did not answer within `timeout` seconds."""
        give_up = time.monotonic() + timeout
        while not self.is_ready():
            if self.child is None or self.child.exit_code() is not None:
                raise ServerStartError(f"{self.name} ended at once:{tail(self.log)}")
            if time.monotonic() > give_up:
                self.kill()
                raise ServerStartError(f"{self.name} does not answer:{tail(self.log)}")
            time.sleep(0.05)

    def stop(self, timeout: float = 30.0) -> None:
        if self.child is not None:
            self.child.stop(timeout)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self.child is not None:
            self.child.kill()
