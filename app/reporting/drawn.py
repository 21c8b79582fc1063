"""A picture of the report with what is said about it."""

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Drawn:
    title: str
    svg: Markup
    #: how to read it, in a sentence or two
    caption: str
