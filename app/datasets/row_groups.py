"""Row groups of a Parquet file that do not tell how its rows came."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq


class RowGroups:
    """Writes tables as row groups of equal size, so that the same rows give the same bytes however
    they are divided among the tables. A context manager inside the writer's; the last group is
    written when the block ends well.
    """

    def __init__(
        self,
        writer: pq.ParquetWriter,
        size: int,
        also: Callable[[pa.Table], None] | None = None,
    ) -> None:
        """`size`: rows of a group; `also`: what each group is given to, one after the other, in a
        thread, while it is written and the next one comes together (Arrow computes and compresses
        without Python's lock).
        """
        self._writer = writer
        self._size = size
        self._also = also
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="row-groups")
        self._given: Future[None] | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._beside:
            if kind is None:
                if self._rows:
                    self._write(pa.concat_tables(self._waiting))
                self._wait()

    def add(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows < self._size:
            return
        together = pa.concat_tables(self._waiting)
        whole = self._rows - self._rows % self._size
        for start in range(0, whole, self._size):
            self._write(together.slice(start, self._size))
        self._waiting, self._rows = [together.slice(whole)], self._rows - whole

    def _write(self, group: pa.Table) -> None:
        # pages end where arrays do
        group = group.combine_chunks()
        self._wait()  # two groups at most are held
        if self._also is not None:
            self._given = self._beside.submit(self._also, group)
        self._writer.write_table(group, row_group_size=self._size)

    def _wait(self) -> None:
        """Raises what went wrong with the group that was given on last."""
        given, self._given = self._given, None
        if given is not None:
            given.result()
