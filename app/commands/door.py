"""The door of commands: from the text of a message to a job. Whoever carries messages (the Redis
stream, the Kafka bridge) only has to acknowledge, keep or bury them.
"""

from typing import Any

import orjson
from psycopg import OperationalError
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError as SqlOutage

from app.access.principal import Principal
from app.commands.submitting import Send, submit_command
from app.commands.types import COMMANDS, Command
from app.core.errors import (
    IdempotencyInProgress,
    InvalidInput,
    QuotaExceeded,
    Retryable,
    TooManyJobs,
    Unavailable,
    UnknownName,
)
from app.core.names import near, shown
from app.core.pascal_case import from_pascal
from app.core.validation import invalid
from app.db.base import DEFAULT_PROJECT_ID
from app.events.exceeded import tell_if_exceeded
from app.kinds.references import fields_as
from app.resources import Resources

#: the command is well, the time is not: it is to be kept
LATER = (IdempotencyInProgress, QuotaExceeded, TooManyJobs, Unavailable, Retryable)
#: Postgres is not there: it is to be kept too
OUTAGES = (OperationalError, SqlOutage)
#: what OSDR calls fields that we have by another name, in lower case
_OSDR_FIELDS = {"method": "algorithm"}
#: of one command
MOST_BYTES = 1 << 20


def read_command(text: bytes, *, pascal: bool = False) -> tuple[Command, dict[str, str]]:
    """The command, and {pointer to one of its fields: to what the sender wrote}. `pascal`: names of
    fields are read in OSDR's PascalCase too.

    Raises InvalidInput, UnknownName.
    """
    if len(text) > MOST_BYTES:
        raise InvalidInput(f"the command is larger than {MOST_BYTES:,} bytes")
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise InvalidInput('the command is no JSON object of {"type", "id", "user_id", ...}')
    name = said.pop("type", None)
    if pascal and name is None:  # in any case, as the other fields are
        name = next((said.pop(key) for key in list(said) if key.lower() == "type"), None)
    if name not in COMMANDS:
        nearest = near(str(name), COMMANDS)
        raise UnknownName(
            f"there is no command {shown(str(name))}",
            remedy=f"Use one of: {', '.join(nearest or COMMANDS)}.",
        )
    written: dict[str, str] = {}
    if pascal:
        said, written = from_pascal(said, COMMANDS[name], _OSDR_FIELDS)
    with fields_as(written):
        return _validated(COMMANDS[name], said), written


def _validated(command: type[Command], said: dict[str, Any]) -> Command:
    try:
        return command.model_validate(said)
    except ValidationError as error:
        subject = f"the command {command.__name__} is not valid"
        raise invalid(subject, error.errors(), command) from error


def hand_in(resources: Resources, text: bytes, send: Send, *, pascal: bool = False) -> None:
    """Store the job, then `send` it if it may run. The same `type`, `id` and `user_id` again is the
    job of the first time, which is not sent again (the sweeper does that, where it is due).

    Raises one of LATER; another RetortError, for what can never be done: bury it; OUTAGES.
    """
    command, written = read_command(text, pascal=pascal)
    principal = Principal(project_id=DEFAULT_PROJECT_ID, name=f"command:{command.user_id}")
    try:
        with fields_as(written):
            submit_command(resources, principal, command, send)
    except QuotaExceeded as error:
        tell_if_exceeded(resources.database, error)
        raise
