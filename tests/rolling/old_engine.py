"""A frozen engine in a process of its own, which cannot import this checkout."""

import json
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ENGINES = sorted(FOLDER.glob("engine_*.zip"))


def revision_of(engine: Path) -> str:
    """The newest migration that the engine knows."""
    return engine.stem.removeprefix("engine_")


class OldEngineError(Exception):
    """What the engine raised; `name` is the exception's class."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name


class OldEngine:
    """Called with a word of drive_engine.py and its values."""

    def __init__(self, engine: Path, folder: Path) -> None:
        self.engine = engine
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RETORT_", "PYTHON")) and not name.endswith("_URL")
        }
        # -P: neither the script's folder nor the working one is searched for modules
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(FOLDER / "drive_engine.py")],
            cwd=folder,
            env=inherited | {"PYTHONPATH": str(engine)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, do: str, **values):
        self._process.stdin.write(json.dumps({"do": do, **values}, default=str) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.engine.name} ended; its stderr says why")
        answer = json.loads(line)
        if "error" in answer:
            raise OldEngineError(answer["error"], answer["detail"])
        return answer["ok"]

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
