"""Groups and times on the wrong side of a split."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from app.training.leaks.findings import Finding, Severity, Sides, how_many

_PARTS = frozenset({"train", "training", "valid", "val", "validation", "dev", "test", "testing"})

Kind = Literal["group", "time"]


def mixed_groups(name: str, cells: Sequence[Any], sides: Sides, *, asked: bool) -> list[Finding]:
    """Test rows of a group that is learned from. `asked`: the split promised that there are none;
    `cells`: of all rows.
    """
    words = ["" if cell is None else str(cell) for cell in cells]
    if not asked and {word.strip().lower() for word in words} <= _PARTS | {""}:
        return []
    found: set[int] = set()
    for learned, tested in sides:
        known = {words[row] for row in learned} - ({""} if not asked else set())
        found.update(row for row in tested.tolist() if words[row] in known)
    mixed = sorted(found)
    if not mixed:
        return []
    severity: Severity = "error" if asked else "warning"
    return [
        Finding(
            leak="group_on_both_sides",
            severity=severity,
            detail=f"{how_many(len(mixed), 'test row has', 'test rows have')} a value of {name!r} "
            f"that rows which are learned from have too, e.g. {words[mixed[0]]!r}",
            remedy="If rows of one value belong together, use the split "
            f'{{"name": "group", "params": {{"column": "{name}"}}}}.',
            rows=mixed,
        )
    ]


def mixed_times(name: str, cells: Sequence[Any], sides: Sides, *, asked: bool) -> list[Finding]:
    """Test rows that are older than the newest row that is learned from."""
    found: set[int] = set()
    ends = []
    for learned, tested in sides:
        times = [cells[row] for row in learned if cells[row] is not None]
        if not times:
            continue
        last = max(times)
        here = [r for r in tested.tolist() if cells[r] is not None and cells[r] < last]
        found.update(here)
        ends += [last] if here else []
    if not found:
        return []
    older, newest = sorted(found), max(ends)
    severity: Severity = "error" if asked else "warning"
    return [
        Finding(
            leak="learned_from_the_future",
            severity=severity,
            detail=f"{how_many(len(older), 'test row is', 'test rows are')} older by {name!r} than "
            f"the newest row that is learned from ({newest})",
            remedy="To know how the model does on what comes next, use the split "
            f'{{"name": "time", "params": {{"column": "{name}"}}}}.',
            rows=older,
        )
    ]


def judged_columns(
    columns: Sequence[Mapping[str, Any]], split: str, asked: str | None
) -> list[tuple[str, Kind, bool]]:
    """(column, what it is, whether the split promised to keep it apart): the column of a group or
    time split; else identifiers, and dates and words with the role split.
    """
    judged: list[tuple[str, Kind, bool]] = []
    if asked is not None and split in ("group", "time"):
        judged.append((asked, "group" if split == "group" else "time", True))
    for column in columns:
        if column["name"] == asked or column["role"] not in ("id", "split"):
            continue
        if column["role"] == "split" and column["type"] == "date":
            judged.append((column["name"], "time", False))
        elif column["role"] == "id" or column["type"] in ("text", "class", "binary"):
            judged.append((column["name"], "group", False))
    return judged
