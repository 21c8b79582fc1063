"""A file cut into parts: light files together, others row by row, the same parts either way."""

from contextlib import contextmanager
from itertools import accumulate
from types import SimpleNamespace

import pytest

from app.core.errors import JobCancelled, Retryable
from app.core.settings import Settings
from app.core.work import SilentContext
from app.datasets import parts
from app.datasets.parts import ReadingOptions, read_part, write_parts
from app.storage.local import LocalStorage

ROWS = 2_345
#: a quoted comma, a cell that is empty, a row that is ragged
CSV = "id,smiles\n" + "".join(
    f'"m,{n}",{"" if n % 50 == 0 else "C" * (1 + n % 40)}{",x" if n % 900 == 1 else ""}\n'
    for n in range(ROWS)
)


class FullDisk(LocalStorage):
    @contextmanager
    def writer(self, key):
        if key.endswith("/00001.parquet"):
            raise Retryable("the blob store cannot write: no space")
        with super().writer(key) as stream:
            yield stream


@pytest.fixture
def cut(tmp_path):
    """(context, specs, layout, rows of each part)"""

    def run(storage_type=LocalStorage, context=None, **asked):
        storage = storage_type(tmp_path)
        storage.write("f", CSV.encode())
        resources = SimpleNamespace(storage=storage, settings=Settings())
        context = context or SilentContext()
        options = ReadingOptions(to_learn=False)
        specs, layout = write_parts(resources, context, "f", "f.csv", options=options, **asked)
        return context, specs, layout, [read_part(storage, spec) for spec in specs]

    return run


@pytest.mark.parametrize(
    ("asked", "sizes"),
    [
        ({}, [1_000, 1_000, 345]),
        ({"rows_per_part": 469}, [469] * 5),
        ({"rows_per_part": 5_000}, [ROWS]),
        ({"sizes": lambda rows: [1_400, rows - 1_401, 1]}, [1_400, ROWS - 1_401, 1]),
    ],
)
def test_parts_are_the_same_whether_the_file_is_light(cut, monkeypatch, asked, sizes):
    context, specs, layout, found = cut(**asked)
    assert [len(part) for part in found] == sizes
    assert [(spec.start_row, spec.stop_row) for spec in specs] == [(0, size) for size in sizes]
    rows = [row for part in found for row in part]
    assert [row["__row__"] for row in rows] == list(range(1, ROWS + 1))
    assert [row["id"] for row in rows] == [f"m,{n}" for n in range(ROWS)]
    assert rows[0]["smiles"] == ""
    assert [row["__row__"] for row in rows if row["__reason__"]] == [2, 902, 1_802]
    assert [told["done"] for told in context.told] == list(accumulate(sizes))

    monkeypatch.setattr(parts, "_LIGHT", 0)
    other_context, others, other_layout, again = cut(**asked)
    assert [spec.source["key"].rsplit("/", 1)[-1] for spec in specs] == [
        spec.source["key"].rsplit("/", 1)[-1] for spec in others
    ]
    assert again == found
    assert other_layout == layout
    assert other_context.told == context.told


@pytest.mark.parametrize("light", [16 * 1024 * 1024, 0])
def test_a_part_that_cannot_be_written_fails_the_division(cut, monkeypatch, light):
    monkeypatch.setattr(parts, "_LIGHT", light)
    with pytest.raises(Retryable, match="no space"):
        cut(FullDisk)


@pytest.mark.parametrize("light", [16 * 1024 * 1024, 0])
def test_a_cancelled_job_is_not_divided_further(cut, monkeypatch, light):
    monkeypatch.setattr(parts, "_LIGHT", light)
    context = SilentContext()
    context.cancel = JobCancelled("stop")
    with pytest.raises(JobCancelled):
        cut(context=context)
    assert len(context.told) <= 1
