"""Content hashes that are the same in every process (never Python's `hash()`)."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

_BLOCK = 1 << 20


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8: equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)


def sha256_of_json(value: Any) -> str:
    """Hex SHA-256 of a JSON value: equal values give the same."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def content_key(value: Mapping[str, Any] | list[Any]) -> str:
    """32 hex digits (128 bits of SHA-256) of a JSON value, for cache keys and file names."""
    return sha256_of_json(value)[:32]


def sha256_of_stream(stream: BinaryIO) -> str:
    """Hex SHA-256 of everything left in `stream`, read in 1 MiB blocks."""
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return sha256_of_stream(stream)
