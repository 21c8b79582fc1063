"""Names that people mistype: the nearest known ones first, and how to show what was typed."""

import difflib
from collections.abc import Iterable

_SHOWN_LENGTH = 80
_SHOWN_NAMES = 20


def near(typed: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Those of `known` that `typed` probably means, best first; in any case, with any of `-`, `_`
    and blanks. Empty when nothing is near.
    """
    plain = {name: _plain(name) for name in dict.fromkeys(known)}
    word = _plain(typed[:_SHOWN_LENGTH])
    if not word:
        return []
    score = {
        name: difflib.SequenceMatcher(None, word, other).ratio() for name, other in plain.items()
    }
    # `forest` means random_forest, though the two words are of quite different length
    part = {n for n, other in plain.items() if len(word) > 2 and (word in other or other in word)}  # noqa: PLR2004
    found = [name for name in plain if score[name] >= 0.6 or (name in part and plain[name])]  # noqa: PLR2004 - difflib's cutoff
    return sorted(found, key=lambda name: (-score[name], name))[:most]


def nearest_first(typed: str, known: Iterable[str]) -> list[str]:
    """All of `known`: those that `typed` probably means, then the others in order."""
    names = sorted(set(known))
    first = near(typed, names)
    return first + [name for name in names if name not in first]


def listed(typed: str, known: Iterable[str], *, most: int = _SHOWN_NAMES) -> str:
    """For a sentence: the nearest names first, and how many more there are."""
    names = nearest_first(typed, known)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def shown(typed: object) -> str:
    """What a person typed, quoted, on one line and not longer than a line."""
    text = str(typed)
    return repr(text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "...")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in "-_ ")
