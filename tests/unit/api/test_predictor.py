"""What a request leaves behind: the arms' counts, and what is remembered of it."""

import asyncio
import math
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import orjson
import pytest

from api.predicting.names import Remembered
from api.predicting.predictor import Predictor
from api.predicting.request import Asked
from app.core.errors import Overloaded, Unavailable
from app.endpoints.buckets import BUCKETS
from app.endpoints.routing import ActiveRevision, Arm
from app.endpoints.spec import HistorySpec
from app.models.pointers import POINTERS_KEY
from app.prediction.answer_cache import answer_key, input_key
from tests.support.predictions import CALLER


def arm(mode="live", number=1):
    return Arm(ref="m", model_id=uuid4(), name="m", number=number, mode=mode)


LIVE, SHADOW, FALLBACK = arm(), arm("shadow", 2), arm("fallback", 3)

ENDPOINT = ActiveRevision(
    endpoint_id=uuid4(),
    project_id=CALLER.project_id,
    name="e",
    number=4,
    salt=b"",
    sticky="none",
    arms=(LIVE,),
    table=bytes(BUCKETS),
    shadows=(),
    fallback=None,
    fallback_when=frozenset(),
    history=HistorySpec(),
    cache=True,
    deadline_ms=None,
    min_replicas=1,
)


class Redis:
    """Known answers, the names and the serving processes of one endpoint."""

    def __init__(self, revision, *, known=(), errors=()):
        self.revision, self.known, self.errors = revision, set(known), dict(errors)
        #: SMILES that a serving process was asked for, of each question
        self.asked = []

        self.word = b"word"

    def remembered(self, *_):
        return Remembered(target=self.revision, word=self.word, until=math.inf)

    async def get(self, keys):
        known = dict.fromkeys(self.known, b',"status":"ok"') | {POINTERS_KEY: self.word}
        return [known.get(key) for key in keys]

    async def ask(self, model_id, inputs, **_):
        if model_id in self.errors:
            raise self.errors[model_id]
        smiles = [given["smiles"] for given in inputs]
        self.asked.append(smiles)
        items = [b',"status":"ok","reason":"%s"' % one.encode() for one in smiles]
        return SimpleNamespace(items=items, cached=[False] * len(smiles))


class Beside:
    """What is to be done beside answering: it is done when the answer is there."""

    def __init__(self):
        self.works, self.rows, self.is_busy = [], [], False

    def count(self, *_):
        return None

    def do(self, work):
        self.works.append(work)

    def remember(self, entries):
        self.rows += [orjson.loads(entry.body) for entry in entries]


def ask(revision, *smiles, n=1, known=(), errors=(), **fields):
    """The counts by mode, and the rows of the history, of `n` requests."""
    inputs = [{"smiles": one} for one in smiles]
    seen, rows, _ = run(Redis(revision, known=known, errors=errors), inputs, n=n, **fields)
    return seen, rows


def run(redis, inputs, *, n=1, **fields):
    """As `ask`, and what was answered."""
    predictor = object.__new__(Predictor)
    beside, seen, answered = Beside(), [], []
    predictor._telemetry = SimpleNamespace(predicted=lambda *_: None)
    predictor._names = predictor._lookup = predictor.serving = redis
    predictor._aside = beside
    predictor._meter = SimpleNamespace(
        observe=lambda *arm, **told: seen.append({"mode": arm[3], **told})
    )

    async def requests():
        for number in range(n):
            asked = Asked(
                caller=CALLER,
                ref="endpoint:e",
                inputs=inputs,
                seconds=5,
                request_id=f"r{number}",
                **fields,
            )
            try:
                answered.append(await predictor.predict(asked))
            except (Overloaded, Unavailable) as error:
                seen.append(error)
            for work in beside.works:
                await work
            beside.works.clear()

    asyncio.run(requests())
    return seen, beside.rows, answered


def test_what_the_cache_knew_is_told_to_the_meter():
    known = [answer_key(LIVE.model_id, input_key({"smiles": "C"}))]
    ([told], _) = ask(ENDPOINT, "C", "CC", known=known)
    assert (told["mode"], told["inputs"], told["cached"], told["error"]) == ("live", 2, 1, False)


def test_equal_inputs_of_one_request_are_asked_for_and_stored_once():
    """Each place is answered; an id is what the caller finds the prediction by."""
    ids = {0: "a", 2: "b", 5: "a"}
    smiles = ["C", "CC", "C", "CCC", "CC", "C"]
    inputs = [{"smiles": one, "id": ids.get(n)} for n, one in enumerate(smiles)]
    redis = Redis(
        replace(ENDPOINT, shadows=(SHADOW,)),
        known=[answer_key(LIVE.model_id, input_key({"smiles": "CCC"}))],
    )
    (live, _), rows, (found,) = run(redis, inputs)
    assert redis.asked == [["C", "CC"], ["C", "CC", "CCC"]]
    told = [
        None if item == b',"status":"ok"' else orjson.loads(b"{" + item[1:] + b"}")["reason"]
        for item in found.items
    ]
    assert told == ["C", "CC", "C", None, "CC", "C"]
    assert found.cached == [False, False, False, True, False, False]
    assert (live["inputs"], live["cached"]) == (6, 1)
    stored = [(row["mode"], row["input"]["smiles"], row["input"].get("id")) for row in rows]
    once = [("C", "a"), ("CC", None), ("C", "b"), ("CCC", None)]
    assert stored == [(mode, *one) for mode in ("live", "shadow") for one in once]


def test_what_was_shed_is_no_request_to_the_arm():
    (seen, _) = ask(ENDPOINT, "C", errors={LIVE.model_id: Overloaded("too many")})
    assert [type(one) for one in seen] == [Overloaded], "nothing but the caller's answer"
    ([told, error], _) = ask(ENDPOINT, "C", errors={LIVE.model_id: Unavailable("away")})
    assert (told["mode"], told["error"]) == ("live", True)
    assert isinstance(error, Unavailable)


def test_the_fallback_steps_in_for_what_was_shed():
    revision = replace(ENDPOINT, fallback=FALLBACK, fallback_when=frozenset({"error"}))
    ([told], _) = ask(revision, "C", errors={LIVE.model_id: Overloaded("too many")})
    assert (told["mode"], told["error"]) == ("fallback", False)


@pytest.mark.parametrize("error", [Overloaded("too many"), Unavailable("away")])
def test_a_shadow_that_was_shed_has_not_failed(error):
    revision = replace(ENDPOINT, shadows=(SHADOW,))
    seen, _ = ask(revision, "C", errors={SHADOW.model_id: error})
    told = [(one["mode"], one["error"]) for one in seen]
    failed = [] if isinstance(error, Overloaded) else [("shadow", True)]
    assert told == [("live", False), *failed]


def rows_by_mode(rows):
    """(request, SMILES) by mode; each once."""
    found = {"live": [], "shadow": [], "fallback": []}
    for row in rows:
        found[row["mode"]].append((row["request_id"], row["input"]["smiles"]))
    return {mode: sorted(pairs) for mode, pairs in found.items() if pairs}


def test_a_sample_holds_both_answers_or_neither():
    history = HistorySpec(store="sample", share=0.25)
    revision = replace(ENDPOINT, shadows=(SHADOW, arm("shadow", 4)), history=history)
    _, rows = ask(revision, "C", "CC", "CCC", "C", n=1_000)
    kept = rows_by_mode(rows)
    assert kept["shadow"] == sorted(2 * kept["live"])
    # each of 3,000 inputs by its own draw: 750 with a standard deviation of 24
    assert 600 < len(set(kept["live"])) < 900
    # the same input twice in one request is one draw, and one prediction
    assert len(kept["live"]) == len(set(kept["live"]))


def test_what_a_shadow_predicts_too_is_stored_without_a_policy():
    often = replace(ENDPOINT, shadows=(replace(SHADOW, sample=0.5),))
    _, rows = ask(often, "C", n=400)
    kept = rows_by_mode(rows)
    assert kept["live"] == kept["shadow"]
    # 200 with a standard deviation of 10
    assert 140 < len(kept["live"]) < 260
    assert {row["expires_at"] for row in rows} == {None}, "as the installation keeps them"
    _, rows = ask(replace(often, shadows=(SHADOW,), history=HistorySpec(keep_days=3)), "C")
    assert len(rows) == 2
    assert None not in {row["expires_at"] for row in rows}


def test_without_a_shadow_nothing_is_stored_unasked():
    assert ask(ENDPOINT, "C")[1] == []
    assert rows_by_mode(ask(ENDPOINT, "C", remember=True)[1]) == {"live": [("r0", "C")]}


def test_an_answer_of_the_fallback_is_drawn_like_any():
    revision = replace(
        ENDPOINT,
        fallback=FALLBACK,
        fallback_when=frozenset({"error"}),
        shadows=(SHADOW,),
        history=HistorySpec(store="sample", share=0.5),
    )
    _, rows = ask(revision, "C", n=200, errors={LIVE.model_id: Unavailable("away")})
    kept = rows_by_mode(rows)
    assert kept["fallback"] == kept["shadow"]
    # 100 with a standard deviation of 7
    assert 65 < len(kept["fallback"]) < 135


def test_what_was_remembered_is_not_believed_for_what_another_request_has_remembered_since():
    """Between a request's guess and the word that it reads, the endpoint moves, and another request
    remembers where to, under that very word.
    """
    moved = replace(ENDPOINT, number=5, arms=(arm(number=2),))

    class Moving(Redis):
        async def get(self, keys):
            self.revision, self.word = moved, b"next"
            return await super().get(keys)

        async def resolve(self, *_):
            return self.revision

    _, _, answered = run(Moving(ENDPOINT), [{"smiles": "C"}])
    assert [found.model.number for found in answered] == [2]
