"""Environments of the peers: made once, from pinned requirements, beside ours and never in it."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: git ignores it
CACHE = ROOT / ".bench"
REQUIREMENTS = Path(__file__).resolve().parent


def python_of(name: str) -> Path:
    """The interpreter of the environment `name`, made when it is not there or its file changed.

    Start programs of it by `-m`: what lies in bin/ names the folder it was made in, and a cache
    may be moved. Raises CalledProcessError when pip cannot install it.
    """
    wanted = (REQUIREMENTS / f"{name}.txt").read_bytes()
    home = CACHE / name
    python, stamp = home / "bin" / "python", home / "requirements.sha256"
    digest = hashlib.sha256(wanted).hexdigest()
    if not (stamp.exists() and stamp.read_text() == digest):
        print(f"Making the environment {name} (minutes, once) ...", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([_system_python(), "-m", "venv", home], check=True)
        install = ["-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS / f"{name}.txt")]
        subprocess.run([str(python), *install], check=True)
        stamp.write_text(digest)
    return python


def names() -> list[str]:
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def _system_python() -> Path:
    """The interpreter that our own environment was made from."""
    return Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"


if __name__ == "__main__":
    for each in sys.argv[1:] or names():
        print(python_of(each))
