"""A document of titled sections, filled from data, that names what a person must still write."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_MARKUP = re.compile(r"[\\`*{}\[\]<>#|!&~]|(?<![^\W_])_|_(?![^\W_])")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that is known: `label: text`, or a sentence without label."""

    text: str
    label: str = ""
    #: the text is a program, kept as it is
    code: bool = False


@dataclass(frozen=True, kw_only=True)
class Section:
    title: str
    entries: Sequence[Entry] = field(default_factory=tuple)
    #: what the files do not say and a person must add
    missing: Sequence[str] = field(default_factory=tuple)


def to_markdown(title: str, about: str, sections: Sequence[Section]) -> str:
    """CommonMark; texts of the data cannot become markup of it."""
    lines = [f"# {_escaped(title)}", "", about, ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        lines += [_bullet(entry) for entry in section.entries]
        lines += [f"- [ ] **to be added by a person:** {text}" for text in section.missing]
        lines.append("")
    lines += ["## What a person must still add", ""]
    missing = [(section.title, text) for section in sections for text in section.missing]
    lines += [f"- {where}: {text}" for where, text in missing] or ["- nothing"]
    return "\n".join(lines) + "\n"


def _bullet(entry: Entry) -> str:
    if entry.code:
        # indented, which no text in it can end
        return "\n".join([f"- **{entry.label}:**", "", *_indented(entry.text)])
    text = _escaped(entry.text)
    return f"- **{_escaped(entry.label)}:** {text}" if entry.label else f"- {text}"


def _indented(text: str) -> list[str]:
    return [f"      {line}".rstrip() for line in text.splitlines()]


def _escaped(text: str) -> str:
    """One line, its markup characters escaped; an underscore inside a word is none."""
    return " ".join(_MARKUP.sub(r"\\\g<0>", text).split())
