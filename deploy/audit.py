"""Known holes of the locked versions, by pip-audit where its database can be reached.

    python deploy/audit.py PIP_AUDIT [requirements.lock]

Ends with 1 only for a hole that is known; without a database it says that nothing was looked at.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

_SECONDS = 300
#: holes that do not concern us, and why; a stale one is printed
EXCUSED: dict[str, str] = {}


def pinned(lock: str) -> str:
    """The `name==version` lines alone: pip-audit is to resolve nothing."""
    lines = (line.split(";")[0].split(" #")[0].strip() for line in lock.splitlines())
    return "".join(f"{line}\n" for line in lines if "==" in line and not line.startswith("#"))


def judge(report: dict[str, list[dict[str, object]]]) -> tuple[int, list[str]]:
    """(exit status, lines to print) of pip-audit's JSON."""
    entries = report["dependencies"]
    looked_at = [entry for entry in entries if "skip_reason" not in entry]
    if not looked_at:
        return 0, ["pip-audit: its database knows none of these packages: nothing was audited"]
    holes = [
        (f"{entry['name']}=={entry['version']}", hole)
        for entry in looked_at
        for hole in entry["vulns"]  # type: ignore[attr-defined] # JSON
    ]
    open_holes = [(package, hole) for package, hole in holes if hole["id"] not in EXCUSED]
    lines = [
        f"pip-audit: {package}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for package, hole in open_holes
    ]
    unused = EXCUSED.keys() - {hole["id"] for _, hole in holes}
    lines += [f"pip-audit: the excuse for {name} is no longer needed" for name in sorted(unused)]
    skipped = len(entries) - len(looked_at)
    lines += [f"pip-audit: {len(looked_at)} packages audited, {skipped} unknown to it"]
    return (1 if open_holes else 0), lines


def main(pip_audit: str, lock: str = "requirements.lock") -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(pinned(Path(lock).read_text()))
        requirements.flush()
        command = [pip_audit, "-r", requirements.name, "--no-deps", "--disable-pip", "-f", "json"]
        try:
            done = subprocess.run(
                [*command, "--progress-spinner=off"],
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
            )
            status, lines = judge(json.loads(done.stdout))
        except FileNotFoundError:
            status, lines = 0, ["pip-audit is not installed: nothing was audited"]
        except (json.JSONDecodeError, subprocess.TimeoutExpired):
            status, lines = 0, ["pip-audit: its database does not answer: nothing was audited"]
    print("\n".join(lines))  # noqa: T201 - a command
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
