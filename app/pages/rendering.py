"""Templates of pages, and how numbers and texts are written in them.

Everything that comes from a file is escaped by the template; only our own drawings are markup.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

_WORD = 60
_BASE = Path(__file__).parent / "templates"


def page_template(folder: Path, name: str, **filters: Callable[..., str]) -> Any:
    """The template `name` of `folder`; it may extend base.html and import macros.html. It has
    `num`, `short`, `count` and `filters`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([folder, _BASE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"num": number, "short": short, "count": count, **filters}
    return environment.get_template(name)


def number(value: Any) -> str:
    """Four digits; words as they are."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else short(str(value))


def count(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


def short(text: str, limit: int = _WORD) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
