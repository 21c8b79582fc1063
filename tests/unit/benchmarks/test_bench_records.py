"""What the benchmarks found, as records and as the page's tables."""

import json
from dataclasses import replace

import pytest

from benchmarks import __main__ as bench
from benchmarks import records
from benchmarks.records import Record, Result, merged, page_with, records_of, table, wide_table

SUBMIT = Result(
    name="submit.rate",
    what="accepted",
    ours="600/s",
    beside="by hand: 150/s",
    ratio=600 / 150,
    limit=4.5,
    at_least=True,
)
TAIL = Result(
    name="submit.p99", what="p99", ours="9 ms", beside="10 ms", ratio=0.9, digits=1, limit=1.0
)
SERVING = Result(
    name="serving.uncached.8.p99",
    what="8 clients, p99",
    ours="6 ms",
    beside="A: 8 ms",
    ratio=0.75,
    figures={"Retort": "6 ms", "A": "8 ms", "B": "9 ms"},
)


def record(result, date="2026-11-29", load=None):
    (made,) = records_of([result], command="c", load=0.0, date=date)
    return replace(made, load=load)


def test_a_table_begins_with_the_ratio_and_says_what_is_missed():
    text = table([record(SUBMIT), record(TAIL, "2026-11", load=2.345)])
    assert text.splitlines() == [
        "| ratio | limit | what | ours | beside it | taken |",
        "|---|---|---|---|---|---|",
        "| **4.00** | at least 4.5 **missed** | accepted | 600/s | by hand: 150/s | 2026-11-29 |",
        "| **0.9** | at most 1 | p99 | 9 ms | 10 ms | 2026-11, load 2.3 |",
    ]


def test_a_table_of_several_peers_has_a_column_for_each():
    other = replace(SERVING, what="one client", figures={"Retort": "1 ms", "B": "2 ms"})
    assert wide_table([record(SERVING), record(other)]).splitlines() == [
        "| ratio | limit | what | Retort | A | B | taken |",
        "|---|---|---|---|---|---|---|",
        "| **0.75** | shown only | 8 clients, p99 | 6 ms | 8 ms | 9 ms | 2026-11-29 |",
        "| **0.75** | shown only | one client | 1 ms |  | 2 ms | 2026-11-29 |",
    ]


def test_a_fault_is_a_miss_whatever_the_ratio_says():
    faulty = replace(TAIL, fault="3 errors")
    assert not TAIL.missed
    assert faulty.missed
    assert faulty.verdict() == "at most 1 **missed**: 3 errors"
    assert replace(SERVING, fault="1 refused").missed


def test_a_run_takes_the_place_of_all_that_its_benchmark_had():
    """Even of rows that it no longer gives; what was not run stays, with its date."""
    old = [record(SUBMIT, "2026-11-01"), record(SERVING, "2026-11-02"), record(TAIL, "2026-11-01")]
    new = [record(replace(SUBMIT, ratio=5.0))]
    assert merged(old, new) == [new[0], old[1]]
    first = [record(replace(TAIL, name="poll.p99"))]
    assert merged(old, first) == [*old, *first]


def test_records_say_when_where_and_beside_how_much_work(tmp_path):
    (made,) = records_of([SUBMIT], command="python -m benchmarks submit", load=1.239)
    assert (made.command, made.load) == ("python -m benchmarks submit", 1.24)
    assert "cores" in made.processor
    assert len(made.date) == len("2026-11-29")
    path = tmp_path / "bench.jsonl"
    records.write([made], path)
    assert records.read(path) == [made]
    assert json.loads(path.read_text())["what"] == "accepted"
    with pytest.raises(ValueError, match=r"submit\.rate"):
        records.write([made, made], path)
    assert records.read(tmp_path / "none.jsonl") == []


def test_what_is_run_is_recorded_put_onto_the_page_and_judged(tmp_path, monkeypatch):
    page, path = tmp_path / "page.md", tmp_path / "bench.jsonl"
    marks = "\n".join(f"<!-- {n}: begin -->\n<!-- {n}: end -->" for n in ("bench", *records.APART))
    page.write_text(f"before\n{marks}\nafter\n")
    monkeypatch.setattr(records, "PAGE", page)
    monkeypatch.setattr(records, "RECORDS", path)
    ran = {"submit": [SUBMIT, TAIL], "serving": [SERVING], "batch_memory": []}
    monkeypatch.setattr(bench, "BENCHMARKS", {n: lambda n=n: ran[n] for n in ran})
    assert bench.main(["serving"]) == 0
    assert bench.main(["submit"]) == 1
    before, _, rest = page.read_text().partition("<!-- bench: begin -->")
    assert before == "before\n"
    assert "| **4.00** | at least 4.5 **missed** |" in rest
    assert "| 8 clients, p99 | 6 ms | 8 ms | 9 ms |" in rest
    assert rest.endswith("after\n")
    assert [one.name for one in records.read()] == [SERVING.name, SUBMIT.name, TAIL.name]
    ran["batch_memory"] = None  # an hour: only by its name
    assert bench.main([]) == 1
    with pytest.raises(SystemExit):
        bench.main(["nothing"])


def test_the_page_shows_what_the_records_say():
    known = records.read()
    assert len(known) > 30
    page = records.PAGE.read_text()
    assert page_with(known, page) == page, "run `python -m benchmarks --table`"


def test_every_record_is_of_a_benchmark_that_make_bench_knows():
    assert {one.benchmark for one in records.read()} <= set(bench.BENCHMARKS)
    assert all(isinstance(one, Record) for one in records.read())
