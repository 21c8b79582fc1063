"""The one way to name a model: `<id>` | `name` | `name:3` | `name@alias`."""

import re
from dataclasses import dataclass
from uuid import UUID

from app.core.errors import InvalidInput
from app.core.names import shown

_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SLUG = r"[a-z0-9][a-z0-9._-]{0,62}"
_PATTERN = re.compile(rf"(?P<name>{_SLUG})(?::(?P<number>[1-9][0-9]{{0,8}})|@(?P<alias>{_SLUG}))?")


#: the alias that a bare name means
CHAMPION = "champion"
#: words of stage-based registries, and the alias that each means
STAGE_WORDS = {"production": CHAMPION}
#: as a stage it is no alias: a version is archived, and then has none
ARCHIVED = "archived"


@dataclass(frozen=True, kw_only=True)
class ModelReference:
    """Exactly one of: an id; a name, alone (its @champion, else its newest), with a number, or
    with an alias.
    """

    id: UUID | None = None
    name: str | None = None
    number: int | None = None
    alias: str | None = None


def alias_word(alias: str) -> str:
    """The alias that is meant: `production` is the champion. Raises InvalidInput for `archived`."""
    if alias == ARCHIVED:
        raise InvalidInput(
            "archived is the state of a version, not an alias that points to one",
            code="invalid_reference",
            remedy="Archive a version: DELETE /api/v1/models/{ref}; name it by its number or id.",
        )
    return STAGE_WORDS.get(alias, alias)


def parse_model_ref(text: str) -> ModelReference:
    """Raises InvalidInput for anything else."""
    if _ID.fullmatch(text):
        return ModelReference(id=UUID(text))
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise InvalidInput(
            f"{shown(text)} does not name a model",
            code="invalid_reference",
            remedy="Write an id, `name`, `name:3` or `name@alias`.",
        )
    number, alias = match["number"], match["alias"]
    return ModelReference(
        name=match["name"],
        number=int(number) if number else None,
        alias=alias_word(alias) if alias else None,
    )
