"""What a serving process has in hand, as its parent reads it."""

import os
import threading
import time
from uuid import UUID

import pytest

from workers.serving.in_hand import InHand, InHandFile
from workers.serving.protocol import Question


def question(id_, size=1):
    return Question(
        id=id_,
        reply_to="answers",
        until=1.0,
        model_id=UUID(int=1),
        inputs=({"smiles": "C" * size},),
        poison=((0, "why"),),
    )


@pytest.fixture
def file():
    file = InHandFile.create()
    yield file
    file.close()


def read(file):
    found = file.read()
    return [q.id for q in found.working], [q.id for q in found.held]


def test_nothing_was_told_yet(file):
    assert file.since() is None
    assert file.read() == InHand()


def test_the_newest_state_is_read_by_who_has_the_file_open(file):
    parents = InHandFile(file.descriptor)
    before = time.monotonic()
    file.tell(InHand(working=[question("a", 5_000), question("b")], held=[question("c")]))
    assert before <= parents.since() <= time.monotonic()
    assert read(parents) == (["a", "b"], ["c"])
    assert parents.read().working[1].poison == ((0, "why"),)
    file.tell(InHand(held=[question("c")]))
    assert read(parents) == ([], ["c"])
    file.tell(InHand())
    assert read(parents) == ([], [])


@pytest.fixture
def dying(monkeypatch):
    """Whoever writes dies before the header; where it wrote."""
    original, calls = os.pwrite, []

    def dies_before_the_header(descriptor, data, at):
        calls.append(at)
        if at == 0:
            raise KeyboardInterrupt
        return original(descriptor, data, at)

    return lambda: (monkeypatch.setattr(os, "pwrite", dies_before_the_header), calls)[1]


def test_the_first_state_is_none_before_it_is_whole(file, dying):
    dying()
    with pytest.raises(KeyboardInterrupt):
        file.tell(InHand(working=[question("a")]))
    assert file.since() is None
    assert file.read() == InHand()


def test_who_dies_while_writing_leaves_the_state_before(file, dying):
    file.tell(InHand(working=[question("a")]))
    calls = dying()
    with pytest.raises(KeyboardInterrupt):
        file.tell(InHand(working=[question("b", 9_000)]))
    assert len(calls) == 2
    assert read(file) == (["a"], [])


def test_reading_while_it_is_written_gives_whole_states(file):
    sizes = {"a": 10, "b": 60_000, "c": 3_000}
    ended = threading.Event()

    def write():
        while not ended.is_set():
            for id_, size in sizes.items():
                file.tell(InHand(working=[question(id_, size)]))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(500):
            for found in file.read().working:
                assert len(found.inputs[0]["smiles"]) == sizes[found.id]
    finally:
        ended.set()
        thread.join()
