"""JSON values: a merge patch applied, and two values compared."""

from collections.abc import Iterator
from typing import Any, TypedDict


class Change(TypedDict):
    """One value that differs; what is on one side only is null on the other."""

    #: JSON pointer (RFC 6901)
    pointer: str
    before: Any
    after: Any


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: objects are merged, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def difference(before: Any, after: Any, pointer: str = "") -> list[Change]:
    """What changed, as deep as it can be named; lists of unequal length as a whole."""
    return list(_changes(before, after, pointer))


def _changes(before: Any, after: Any, pointer: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from _changes(before.get(name), after.get(name), f"{pointer}/{escape(name)}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(old, new, f"{pointer}/{number}")
    elif before != after or type(before) is not type(after):
        yield Change(pointer=pointer, before=before, after=after)


def escape(name: object) -> str:
    """A name as one part of a JSON pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")
