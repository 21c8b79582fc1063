"""The same rows are the same Parquet file, however they came."""

import io
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.datasets.row_groups import RowGroups

N, SIZE = 2_500, 1_000
#: long texts, so that a group has several pages; some are missing
TABLE = pa.table(
    {
        "row": pa.array(range(N)),
        "text": pa.array([None if n % 9 == 0 else f"{n:05d}" * 300 for n in range(N)]),
        "value": pa.array(np.random.default_rng(0).normal(size=N)),
    }
)


def written(cuts):
    stream = io.BytesIO()
    with (
        pq.ParquetWriter(stream, TABLE.schema, compression="zstd") as writer,
        RowGroups(writer, SIZE) as groups,
    ):
        start = 0
        for cut in cuts:
            groups.add(TABLE.slice(start, cut))
            start += cut
    assert start == N
    return stream.getvalue()


@pytest.mark.parametrize("cuts", [[1] * 100 + [2_400], [999, 2, 1_499], [0, 1_000, 0, 1_500, 0]])
def test_groups_are_equal_however_rows_are_divided(cuts):
    whole = written([N])
    assert written(cuts) == whole
    file = pq.ParquetFile(io.BytesIO(whole))
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sizes == [1_000, 1_000, 500]
    assert file.read().equals(TABLE)


def test_nothing_more_is_written_when_the_block_fails():
    stream = io.BytesIO()

    def fail(writer):
        with RowGroups(writer, SIZE) as groups:
            groups.add(TABLE.slice(0, 10))
            raise ValueError("no")

    with pq.ParquetWriter(stream, TABLE.schema) as writer, pytest.raises(ValueError, match="no"):
        fail(writer)
    assert pq.ParquetFile(io.BytesIO(stream.getvalue())).metadata.num_rows == 0


def test_each_group_is_given_on_while_it_is_written():
    stream, given = io.BytesIO(), []
    with (
        pq.ParquetWriter(stream, TABLE.schema, compression="zstd") as writer,
        RowGroups(writer, SIZE, given.append) as groups,
    ):
        for start in range(0, N, 700):
            groups.add(TABLE.slice(start, 700))
    assert [len(group) for group in given] == [1_000, 1_000, 500]
    assert pa.concat_tables(given).equals(TABLE)
    assert stream.getvalue() == written([N])


def test_groups_are_given_on_one_after_the_other_and_two_are_held_at_most():
    given, done, done_before = [], [], []

    def slow(group):
        given.append(len(given) - len(done))
        time.sleep(0.02)
        done.append(len(group))

    class Writer:
        def write_table(self, group, **_):
            done_before.append(len(done))

    with RowGroups(Writer(), SIZE, slow) as groups:
        groups.add(TABLE)
        groups.add(TABLE.slice(0, 1_000))
    assert given == [0, 0, 0, 0]
    assert done == [1_000, 1_000, 1_000, 500]
    # nobody runs ahead: while a group is written, all before it are done
    assert all(count >= number for number, count in enumerate(done_before))


@pytest.mark.parametrize("last", [True, False])
def test_what_fails_beside_fails_the_block(last):
    """Of a group that is full, and of the last one, which the end of the block writes."""

    def fail(group):
        raise OSError("no space")

    def write(writer):
        with RowGroups(writer, SIZE, fail) as groups:
            groups.add(TABLE.slice(0, 10 if last else SIZE))

    with (
        pq.ParquetWriter(io.BytesIO(), TABLE.schema) as writer,
        pytest.raises(OSError, match="no space"),
    ):
        write(writer)
