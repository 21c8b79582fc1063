"""What the benchmarks found, kept in `benchmarks/records/bench.jsonl`, and the tables of the page.

The latest of each name stands in the file, with when, where and beside how much other work it was
taken. A benchmark that was not run keeps its rows with their date.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RECORDS = ROOT / "benchmarks" / "records" / "bench.jsonl"

#: tables of the page with a column for each server: what their rows' names begin with
APART = {"serving": "serving.uncached.", "celery-batching": "celery_batching."}
_HEAD = ("ratio", "limit", "what", "ours", "beside it", "taken")


@dataclass(frozen=True, kw_only=True)
class Result:
    """Ours beside a peer or a limit, measured in the same run."""

    #: `<benchmark>.<what>`: one row of the page
    name: str
    what: str
    ours: str
    beside: str
    #: of ours to what stands beside it
    ratio: float
    #: decimals of the ratio that are shown
    digits: int = 2
    #: at most, or at least; None: shown only
    limit: float | None = None
    at_least: bool = False
    #: why it is missed whatever the ratio says
    fault: str = ""
    #: {who: figure} where more than one stands beside ours, which is the first
    figures: Mapping[str, str] = field(default_factory=dict)

    @property
    def benchmark(self) -> str:
        return self.name.partition(".")[0]

    @property
    def missed(self) -> bool:
        if self.fault or self.limit is None:
            return bool(self.fault)
        return self.ratio < self.limit if self.at_least else self.ratio > self.limit

    def verdict(self) -> str:
        """The limit, and whether it is missed."""
        sign = "at least" if self.at_least else "at most"
        limit = "shown only" if self.limit is None else f"{sign} {self.limit:g}"
        said = " **missed**" if self.missed else ""
        return f"{limit}{said}{': ' + self.fault if self.fault else ''}"

    def shown_ratio(self) -> str:
        return f"**{self.ratio:.{self.digits}f}**"


@dataclass(frozen=True, kw_only=True)
class Record(Result):
    """A result, and how it came about."""

    #: ISO 8601: a day, or where it is not known better a month
    date: str
    command: str
    processor: str
    #: runnable processes of the last minute when it began; None: not noted
    load: float | None

    @property
    def taken(self) -> str:
        return self.date if self.load is None else f"{self.date}, load {self.load:.1f}"


def records_of(
    results: Iterable[Result], *, command: str, load: float, date: str | None = None
) -> list[Record]:
    """Of a run that has just ended; `load` as it began."""
    about = {
        "date": date or datetime.now(UTC).date().isoformat(),
        "command": command,
        "processor": processor(),
        "load": round(load, 2),
    }
    return [
        Record(**{**asdict(result), "ratio": round(result.ratio, 4), **about}) for result in results
    ]


def merged(known: Sequence[Record], new: Sequence[Record]) -> list[Record]:
    """`new` in the place of all that its benchmarks had; others stay as and where they are."""
    found, left = [], list(new)
    for record in known:
        mine = [one for one in left if one.benchmark == record.benchmark]
        left = [one for one in left if one not in mine]
        found += mine
        if all(one.benchmark != record.benchmark for one in new):
            found.append(record)
    return found + left


def read(path: Path | None = None) -> list[Record]:
    """Of RECORDS, where no path is given."""
    path = path or RECORDS
    lines = path.read_text().splitlines() if path.exists() else []
    return [Record(**json.loads(line)) for line in lines]


def write(records: Sequence[Record], path: Path | None = None) -> None:
    """Raises ValueError where two have one name."""
    names = [record.name for record in records]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"more than one result is called {', '.join(sorted(twice))}")
    lines = [json.dumps(asdict(record), ensure_ascii=False) for record in records]
    (path or RECORDS).write_text("\n".join([*lines, ""]))


def page_with(records: Sequence[Record], page: str) -> str:
    """The page with its tables as the records say."""
    rows = {name: [r for r in records if r.name.startswith(begin)] for name, begin in APART.items()}
    rest = [record for record in records if not record.name.startswith(tuple(APART.values()))]
    page = put_into_page(page, "bench", table(rest))
    for name, some in rows.items():
        page = put_into_page(page, name, wide_table(some))
    return page


def put_into_page(page: str, name: str, text: str) -> str:
    """The page with what stands between the marks `name` replaced. Raises ValueError without."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page lacks {begin} or {end}")
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"


def table(results: Sequence[Result]) -> str:
    """Markdown, ratios first."""
    rows = [
        (one.shown_ratio(), one.verdict(), one.what, one.ours, one.beside, _taken(one))
        for one in results
    ]
    return _markdown(_HEAD, rows)


def wide_table(results: Sequence[Result]) -> str:
    """Markdown, ratios first; a column for each of `figures`, in the order of the first row."""
    who = list(dict.fromkeys(name for one in results for name in one.figures))
    rows = [
        (
            *(one.shown_ratio(), one.verdict(), one.what),
            *(one.figures.get(name, "") for name in who),
            _taken(one),
        )
        for one in results
    ]
    return _markdown(("ratio", "limit", "what", *who, "taken"), rows)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _taken(result: Result) -> str:
    return result.taken if isinstance(result, Record) else "now"


def finish(results: Sequence[Result]) -> int:
    """The exit code of a benchmark that was run by itself; what was missed is printed."""
    missed = [one for one in results if one.missed]
    for one in missed:
        print(f"missed: {one.what}: {one.ratio:.{one.digits}f}, {one.verdict()}")
    return int(bool(missed))


def keep(results: Sequence[Result], *, command: str, load: float) -> None:
    """Into the records and onto the page."""
    records = merged(read(), records_of(results, command=command, load=load))
    write(records)
    PAGE.write_text(page_with(records, PAGE.read_text()))


def processor() -> str:
    """Cores and model, as the kernel names it."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({names[0]})" if names else f"{cores} cores"
