"""A page as Chromium shows it: what its document became, what the console said, and a picture."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Shown:
    #: the document after its scripts have run
    document: str
    #: lines of the console: refusals of a content security policy are among them
    console: list[str]
    #: empty where none was asked for
    picture: bytes


def chromium() -> str | None:
    """The browser of this machine, if it has one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def look_at(url: str, *, seconds: float = 8.0, picture: bool = False) -> Shown:
    """The page at `url`, `seconds` of its own time after it was loaded. A picture is a second
    visit.
    """
    with tempfile.TemporaryDirectory(prefix="retort-browser-") as folder:
        drawn = Path(folder) / "picture.png"
        shown = _run(url, seconds, f"{folder}/profile", "--dump-dom")
        if picture:
            screen = (f"--screenshot={drawn}", "--window-size=1200,1600")
            _run(url, seconds, f"{folder}/profile", *screen)
        return Shown(
            document=shown.stdout,
            console=[line for line in shown.stderr.splitlines() if "CONSOLE" in line],
            picture=drawn.read_bytes() if picture else b"",
        )


def _run(
    url: str, seconds: float, profile: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    command = [chromium() or "chromium", "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--disable-quic", "--no-first-run", "--disable-background-networking"]
    command += ["--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={profile}"]
    command += [f"--virtual-time-budget={int(seconds * 1000)}", *arguments, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
