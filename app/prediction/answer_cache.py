"""Where answers to predictions are kept in the cache, and as which bytes.

The gateway looks answers up by exactly what it was asked, since it cannot standardize a structure
(it loads no RDKit: nothing here may import it, numpy or scikit-learn). A worker that was asked in
other words finds the same answer by the standardized structure.

A model version never changes, and its id is part of each key: an answer is never stale, and a new
version of a name never gives the answers of the one before. `_FORMAT` is part too, so that a
release that writes other bytes does not read these.
"""

import math
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from app.core.hashing import content_key

#: raise it with every change of what an answer holds or of how an input is read
_FORMAT = 1
#: what the caller decides itself: the rest of an answer is the same for everybody
_OF_CALLER = ("id", "input")
#: whole numbers up to here are written as integers; larger ones, as JSON parsers do, as floats
_LARGEST = 2.0**63


def input_key(given: Mapping[str, Any]) -> str:
    """32 hex digits of the SHA-256 of what is predicted: `smiles` and `features` of one input; its
    `id` does not count, and an absent one is the same as null. Text counts to the character; the
    order of features does not; 1 is 1.0, but not true and not "1".

    Raises TypeError and ValueError for what no JSON body holds: half of a surrogate pair, NaN.
    """
    smiles, features = given.get("smiles"), given.get("features")
    asked: dict[str, Any] = {} if smiles is None else {"smiles": smiles}
    if features is not None:
        asked["features"] = _plain(features)
    return content_key(asked)


def answer_key(model_id: UUID | str, input_key: str) -> str:
    """Of the answer to exactly that input (`input_key`)."""
    return f"pred:{model_id}:{_FORMAT}:{input_key}"


def structure_key(
    model_id: UUID | str, canonical_smiles: str, features: Mapping[str, Any] | None = None
) -> str:
    """Of the answer to whatever is standardized to that structure, beside those features."""
    asked = [canonical_smiles, None if features is None else _plain(features)]
    return f"pred:{model_id}:{_FORMAT}:structure:{content_key(asked)}"


def keys_of_model(model_id: UUID | str) -> str:
    """A pattern (SCAN MATCH) of all keys of a model's answers, of every format."""
    return f"pred:{model_id}:*"


def shown_input(given: Mapping[str, Any]) -> Any:
    """What an answer repeats as its `input`: the SMILES, be it empty, else the features."""
    smiles = given.get("smiles")
    return given.get("features") if smiles is None else smiles


def split(item: Mapping[str, Any]) -> bytes:
    """What is stored of an answer (app/prediction/answers.py: answer_items): all but what is the
    caller's own, as the bytes that `join` puts behind it.
    """
    rest = {name: value for name, value in item.items() if name not in _OF_CALLER}
    body = orjson.dumps(rest, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    return b"," + body if body else b""


def join(id_: str | None, given: Any, rest: bytes, *, cached: bool) -> bytes:
    """JSON of the answer for one caller: his `id`, his `input`, what `split` kept, `cached`; byte
    for byte what orjson makes of such a dict, but nothing is parsed.
    """
    ending = b',"cached":true}' if cached else b',"cached":false}'
    return b"".join((b'{"id":', orjson.dumps(id_), b',"input":', orjson.dumps(given), rest, ending))


def _plain(value: Any) -> Any:
    """The same JSON value with whole numbers as integers: 1.0 as 1, -0.0 as 0."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no JSON")
        return int(value) if value.is_integer() and abs(value) < _LARGEST else value
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
