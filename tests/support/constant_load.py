"""Callers that ask without a pause, while a test moves what names mean."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

#: what every caller asks for, by turns
SMILES = [f"{'C' * n}O" for n in range(1, 13)]
#: float32 products of batches of other sizes end in other last bits
_CLOSE = 1e-5


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One answer: when it was asked for (`time.monotonic`), and how long it took."""

    ref: str
    began: float
    seconds: float
    #: the version that gave it
    number: int


class ConstantLoad:
    """`callers` of each reference; every second question is to be computed anew.

    An answer is wrong when it failed, when its version is none that the reference named while it
    was asked, or when the value is not that version's own.
    """

    def __init__(
        self,
        api: httpx.Client,
        names: Mapping[str, int],
        values: Mapping[int, Mapping[str, float]],
        *,
        callers: int = 2,
    ) -> None:
        """`names`: reference -> the version that it names now; `values`: of each version's SMILES,
        as its own model says them.
        """
        self._api = api
        self._values = values
        #: of each reference, what it may mean from a time on; appended to only
        self._meanings = {ref: [(0.0, {number})] for ref, number in names.items()}
        self._stop = threading.Event()
        self.seen: list[Seen] = []
        self.wrong: list[str] = []
        self._threads = [
            threading.Thread(target=self._call, args=(ref,))
            for ref in names
            for _ in range(callers)
        ]

    @contextmanager
    def running(self) -> Iterator["ConstantLoad"]:
        """Fails at the end when an answer was wrong; what failed meanwhile then says so too."""
        for thread in self._threads:
            thread.start()
        try:
            self.pass_by(0.5)
            yield self
        except AssertionError as error:
            error.add_note(f"{len(self.seen)} answers, the last: {self.seen[-5:]}")
            error.add_note(f"{len(self.wrong)} wrong: {self.wrong[:5]}")
            raise
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
        assert not self.wrong, self.wrong[:5]

    def move(self, names: Mapping[str, int | set[int]], act: Callable[[], Any]) -> Any:
        """What `act` gives; meanwhile a reference may mean the old and the new, after it the new
        ones only, whose answers are waited for.
        """
        after = {ref: {new} if isinstance(new, int) else new for ref, new in names.items()}
        for ref, new in after.items():
            self._mean(ref, self._meanings[ref][-1][1] | new)
        done = act()
        for ref, new in after.items():
            self._mean(ref, new)
        self.pass_by(0.5)
        return done

    def pass_by(self, seconds: float) -> None:
        """Until every reference has been answered that was asked for from now on, and so long."""
        since = time.monotonic()
        while time.monotonic() < since + 120:
            told = {one.ref for one in list(self.seen) if one.began > since}
            if self.wrong or (time.monotonic() > since + seconds and told == set(self._meanings)):
                return
            time.sleep(0.05)
        raise AssertionError(f"nobody answers: {sorted(set(self._meanings) - told)}")

    def slowest(self, *refs: str, since: float) -> float:
        """Seconds of the slowest answer that somebody waited for at that time or later."""
        return max(
            one.seconds
            for one in list(self.seen)
            if one.ref in refs and one.began + one.seconds > since
        )

    def _call(self, ref: str) -> None:
        try:
            self._ask(ref)
        except Exception as error:  # whatever it is, the thread must not end unseen
            self.wrong.append(f"{ref}: {error!r}")
            raise

    def _ask(self, ref: str) -> None:
        turn = 0
        while not self._stop.is_set():
            turn += 1
            smiles = SMILES[turn // 2 % len(SMILES)]
            body = {"model": ref, "inputs": [smiles], "force_recompute": turn % 2 == 0}
            began = time.monotonic()
            answer = self._api.post("predictions", json=body)
            ended = time.monotonic()
            if answer.status_code != 200:
                self.wrong.append(f"{ref}: {answer.status_code} {answer.text}")
                continue
            self._judge(ref, smiles, answer.json(), self._meant(ref, began, ended))
            number = _answering(answer.json())
            self.seen.append(Seen(ref=ref, began=began, seconds=ended - began, number=number))

    def _mean(self, ref: str, numbers: set[int]) -> None:
        self._meanings[ref].append((time.monotonic(), numbers))

    def _meant(self, ref: str, began: float, ended: float) -> set[int]:
        """What it may have meant at any moment between the two."""
        meanings = [entry for entry in list(self._meanings[ref]) if entry[0] <= ended]
        first = max(n for n, (since, _) in enumerate(meanings) if since <= began)
        return set().union(*(numbers for _, numbers in meanings[first:]))

    def _judge(self, ref: str, smiles: str, answer: dict[str, Any], allowed: set[int]) -> None:
        number = _answering(answer)
        value = answer["predictions"][0]["targets"]["y"]["value"]
        if number not in allowed:
            self.wrong.append(f"{ref} was answered by {number}, may mean {sorted(allowed)}")
        elif value != pytest.approx(self._values[number][smiles], rel=_CLOSE, abs=_CLOSE):
            self.wrong.append(f"{ref}: {value} is no answer of version {number} to {smiles}")


def _answering(answer: dict[str, Any]) -> int:
    """The version: the fallback's, where it has stepped in."""
    fallback = answer.get("fallback")
    number: int = (answer if fallback is None else fallback)["model"]["number"]
    return number
