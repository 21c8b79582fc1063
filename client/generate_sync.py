"""Write `retort/_sync` from `retort/_async`: `python client/generate_sync.py [--check]`.

Word for word: `await` falls away, `async def` becomes `def`, names lose their Async. Only `io.py`
is written twice by hand, for there waiting and awaiting really differ.
"""

import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "src" / "retort" / "_async"
TARGET = SOURCE.with_name("_sync")
_BY_HAND = frozenset({"io.py"})
_HEADER = "# made of {source} by client/generate_sync.py: change that one\n"

_WORDS = (
    (r"\bawait ", ""),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bAbstractAsyncContextManager\b", "AbstractContextManager"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\bAsync(Generator|Iterator|Iterable)\b", r"\1"),
    (r"\bhttpx\.Async(Client|BaseTransport)\b", r"httpx.\1"),
    (r"\bAsync([A-Z]\w*)\b", r"\1"),
    (r"__a(iter|next|enter|exit)__", r"__\1__"),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r"\bAwaitable, ", ""),
    (r"\baclose\b", "close"),
    (r"\ba(iter_\w+|read)\b", r"\1"),
    (r"retort\._async\b", "retort._sync"),
    (r"for `await`; the one place where it is written", "that waits, made of `retort._async`"),
)


def translate(text: str, source: str) -> str:
    for pattern, replacement in _WORDS:
        text = re.sub(pattern, replacement, text)
    return _format(_HEADER.format(source=source) + text, source)


def generated() -> dict[str, str]:
    """File name to text, of all that is not written by hand."""
    return {
        path.name: translate(path.read_text(), f"_async/{path.name}")
        for path in sorted(SOURCE.glob("*.py"))
        if path.name not in _BY_HAND
    }


def stale(folder: Path = TARGET) -> list[str]:
    """Files that are not what would be written now."""
    wanted = generated()
    there = {path.name for path in folder.glob("*.py")} - _BY_HAND
    wrong = [n for n in wanted if n not in there or (folder / n).read_text() != wanted[n]]
    return sorted({*wrong, *(there - wanted.keys())})


def _format(text: str, name: str) -> str:
    command = [sys.executable, "-m", "ruff"]
    for step in (["check", "--select", "I", "--fix", "-q"], ["format"]):
        done = subprocess.run(
            [*command, *step, "--stdin-filename", str(TARGET / Path(name).name), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text


def main() -> int:
    if "--check" in sys.argv[1:]:
        wrong = stale()
        if wrong:
            sys.stderr.write(
                f"run client/generate_sync.py: {', '.join(wrong)} are not up to date\n"
            )
        return 1 if wrong else 0
    for name in {path.name for path in TARGET.glob("*.py")} - _BY_HAND - generated().keys():
        (TARGET / name).unlink()
    for name, text in generated().items():
        (TARGET / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
