"""Options that many commands share, and how their texts are read."""

import json
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the request as curl; send nothing.")]
Targets = Annotated[list[str] | None, typer.Option("--target", help="Target column; repeatable.")]
Labels = Annotated[
    list[str] | None, typer.Option("--label", help="name=value of a label; repeatable.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="name=value; a.b=value goes deeper; repeatable.")
]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]


def pairs(given: list[str] | None) -> dict[str, str]:
    """`name=value` as text."""
    found = {}
    for text in given or []:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"{text!r} is not name=value")
        found[name] = value
    return found


def personal_columns(given: list[str] | None) -> dict[str, str]:
    """`name` (dropped) or `name:hash`."""
    found: dict[str, str] = {}
    for text in given or []:
        name, sign, how = text.rpartition(":")
        found |= {name: how} if sign and name and how in ("drop", "hash") else {text: "drop"}
    return found


def labels_to_set(given: list[str]) -> dict[str, str | None]:
    """`name=value`; `name=` removes the label."""
    return {name: value or None for name, value in pairs(given).items()}


def settings(given: list[str] | None) -> dict[str, Any]:
    """`name=value` with values read as JSON where they are: numbers, true, null, lists.

    `algorithm.params.alpha=3` is {"algorithm": {"params": {"alpha": 3}}}.
    """
    found: dict[str, Any] = {}
    for name, text in pairs(given).items():
        *outer, last = name.split(".")
        inner = found
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = value_of(text)
    return found


def value_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def words(text: str | None) -> list[str] | None:
    """Comma separated."""
    return [word.strip() for word in text.split(",") if word.strip()] if text else None
