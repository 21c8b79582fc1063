"""Somebody who follows a page of docs/ literally: copies each block, pastes it, looks.

Of a fenced block its language decides:

    sh       run in bash, one shell for the whole page: variables, functions and folder stay
    python   run in one interpreter for the whole page; a last expression shows its value
    output   what the block before it shows: the words of each line, in order. Numbers, ids and
             names with digits may be others; a line `...` stands for any
    json     must be JSON
    text     a drawing or a text: nothing is done with it

A comment right above a fence says more: `<!-- file: plugins/x.py -->` (saved, not run),
`<!-- fails -->` (the block must end in an error), `<!-- not run: why -->`.

The reader sits in a folder like a fresh clone: `.venv`, `examples/data`, and `.retort` of a cluster
that runs already. So `make up`, `demo`, `down` and `install` do nothing there; every other target
is make's own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = frozenset({"sh", "python", "output", "json", "text", "{toctree}"})
_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^>]*?) -->\n+)?^```(?P<language>\S*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SECONDS = 300
#: targets of make that would start or stop what runs already
_MAKE = """#!/bin/bash
case "$1" in
  up|demo|down|install) echo "make $1: the cluster of the tests runs already, and goes on" ;;
  *) cd {root} && exec {make} PY={python} VENV={venv} -o install "$@" ;;
esac
"""
_SHELL = """set -e -o allexport
trap 'echo "failed in line $((LINENO + {line} - {head})): $BASH_COMMAND" >&2' ERR
source {state}
"""


@dataclass(frozen=True, kw_only=True)
class Block:
    page: Path
    #: of its first line, from 1
    line: int
    language: str
    text: str
    #: the comment above it
    mark: str = ""

    @property
    def file(self) -> str | None:
        return self._marked("file: ")

    @property
    def not_run(self) -> str | None:
        """Why."""
        return self._marked("not run: ")

    @property
    def fails(self) -> bool:
        return self.mark == "fails"

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def _marked(self, word: str) -> str | None:
        return self.mark.removeprefix(word) if self.mark.startswith(word) else None


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("text")) + 1,
            language=found["language"],
            text=found["text"],
            mark=found["mark"] or "",
        )
        for found in _FENCE.finditer(text)
    ]


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def plugin_files() -> dict[str, str]:
    """Files that pages have their reader save below `plugins/`."""
    found = {}
    for page in pages():
        for block in blocks_of(page):
            if block.file and block.file.startswith("plugins/"):
                found[block.file.removeprefix("plugins/")] = block.text
    return found


class Reader:
    """In a folder of their own, with a cluster that runs."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        self._shown = ""
        self._state = folder.parent / f"{folder.name}.state"
        self._notebook: subprocess.Popen[str] | None = None
        self._furnish()

    def _furnish(self) -> None:
        shutil.copytree(ROOT / "examples" / "data", self.folder / "examples" / "data")
        (self.folder / ".venv").symlink_to(sys.prefix)
        (self.folder / ".retort").symlink_to(self.home)
        commands = self.folder.parent / f"{self.folder.name}.bin"
        commands.mkdir()
        make = _MAKE.format(
            root=ROOT, make=shutil.which("make"), python=sys.executable, venv=sys.prefix
        )
        (commands / "make").write_text(make)
        (commands / "make").chmod(0o755)
        own = {n: v for n, v in os.environ.items() if not n.startswith(("RETORT_", "XDG_"))}
        self.environment = own | {
            "HOME": str(commands),
            "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'client' / 'src'}",
            "RETORT_HOME": str(self.home),
        }
        self._state.write_text(f"cd {self.folder}\n")

    def follow(self, page: Path) -> None:
        """Raises AssertionError with page and line where the page does not hold."""
        try:
            for block in blocks_of(page):
                if block.not_run is None:
                    self.paste(block)
        finally:
            if self._notebook is not None:
                self._notebook.kill()
                self._notebook.communicate()

    def paste(self, block: Block) -> None:
        if block.file is not None:
            target = self.folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        elif block.language == "sh":
            self._ran(block, *self._shell(block))
        elif block.language == "python":
            self._ran(block, *self._python(block))
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "output":
            missing = lines_missing(block.text, self._shown)
            said = "\n  ".join(missing)
            assert not missing, f"{block.where} was not shown:\n  {said}\nbut:\n{self._shown}"

    def _ran(self, block: Block, shown: str, well: bool) -> None:
        self._shown = shown
        assert well is not block.fails, f"{block.where}\n{block.text}\nshowed:\n{shown}"

    def _shell(self, block: Block) -> tuple[str, bool]:
        """(what is shown, whether every line ended well)."""
        assert "retort down" not in block.text, f"{block.where} would stop the tests' cluster"
        head = _SHELL.format(line=block.line, head=_SHELL.count("\n") + 1, state=self._state)
        keep = f"\n{{ export -p; declare -f; echo \"cd '$PWD'\"; }} > {self._state}\n"
        script = self._state.with_suffix(".sh")
        script.write_text(head + block.text + keep)
        done = subprocess.run(
            ["bash", script],
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env=self.environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
        )
        return done.stdout, done.returncode == 0

    def _python(self, block: Block) -> tuple[str, bool]:
        if self._notebook is None:
            self._notebook = subprocess.Popen(
                [sys.executable, "-m", "tests.support.notebook"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._notebook.stdin is not None
        assert self._notebook.stdout is not None
        asked = {"code": block.text, "page": block.page.name, "line": block.line}
        self._notebook.stdin.write(json.dumps(asked) + "\n")
        self._notebook.stdin.flush()
        answer = json.loads(self._notebook.stdout.readline())
        return answer["shown"], answer["well"]


def lines_missing(expected: str, shown: str) -> list[str]:
    """Lines of `expected` whose words stand, in their order, in no line of `shown`."""
    lines = [_words(line) for line in shown.splitlines()]
    return [
        line
        for line in expected.splitlines()
        if not any(_in_order(_words(line), words) for words in lines)
    ]


def _words(line: str) -> list[str]:
    """Words and names; what holds a digit or is a path may be another one each time."""
    tokens = re.split(r"[\s,;:|(){}\[\]\"']+", line)
    told = [token for token in tokens if not re.search(r"[\d/]", token)]
    return re.findall(r"[^\W\d_]+", " ".join(told))


def _in_order(wanted: list[str], words: list[str]) -> bool:
    rest = iter(words)
    return all(word in rest for word in wanted)
