"""Collects the tests, prints which ids they prove and which are not covered yet.

`python -m tests.requirements [GROUP ...]`; ends with 1 when a mark cites an id that does not exist.
"""

import contextlib
import io
import sys
from collections import defaultdict

import pytest

from tests.requirements import known_ids


class Marks:
    """A pytest plugin: test (without its parameters) -> ids that it cites."""

    def __init__(self) -> None:
        self.tests_of: dict[str, dict[str, None]] = defaultdict(dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("req"):
                for id_ in mark.args:
                    self.tests_of[id_][item.nodeid.partition("[")[0]] = None


def collect() -> Marks:
    marks, said = Marks(), io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "tests"], [marks])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"the tests cannot be collected:\n{said.getvalue()[-2000:]}")
    return marks


def report(marks: Marks, chosen: list[str]) -> str:
    """One block for each group: covered ids with their tests, then the others."""
    lines, totals = [], []
    for group, ids in known_ids().items():
        covered = [id_ for id_ in ids if id_ in marks.tests_of]
        totals.append(f"  {group:<5} {len(covered):>3} of {len(ids):>3}")
        if chosen and group not in chosen:
            continue
        lines.append(f"{group}: {len(covered)} of {len(ids)} covered")
        for id_ in covered:
            lines.append(f"  {id_:<8} {ids[id_]}")
            lines += [f"           {test}" for test in marks.tests_of[id_]]
        lines.append("  not yet:")
        lines += [f"  {id_:<8} {ids[id_]}" for id_ in ids if id_ not in marks.tests_of]
        lines.append("")
    return "\n".join([*lines, "covered by tests:", *totals])


def unknown(marks: Marks) -> dict[str, list[str]]:
    """Ids that are cited and do not exist -> the tests that cite them."""
    known = {id_ for ids in known_ids().values() for id_ in ids}
    return {id_: list(tests) for id_, tests in marks.tests_of.items() if id_ not in known}


def main() -> int:
    marks = collect()
    print(report(marks, sys.argv[1:]))
    wrong = unknown(marks)
    for id_, tests in wrong.items():
        print(f"there is no requirement {id_}: cited by {', '.join(tests)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
