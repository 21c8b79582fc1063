"""A request with an Idempotency-Key that is sent again makes nothing once more."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.db.database import cursor_of
from app.jobs.submit import IdempotencyKey, first_answer, remember_answer

#: of an answer that was given before
REPLAYED = {"Idempotency-Replayed": "true"}


class Once:
    """Within the transaction that makes the thing, before anything is made."""

    def __init__(
        self,
        session: Session,
        caller: Principal,
        route: str,
        key: str | None,
        body: Mapping[str, Any],
    ) -> None:
        """`body`: JSON of what is asked for. Raises IdempotencyMismatch, IdempotencyInProgress."""
        self._session = session
        self._key = IdempotencyKey.of(caller.project_id, caller.name, route, key, body)
        #: what the key made before; None when it is new, or none was given
        self.made: UUID | None = None
        if self._key is not None:
            self.made = first_answer(cursor_of(session), self._key)

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.made is None else REPLAYED

    def remember(self, made: UUID) -> None:
        if self._key is not None:
            remember_answer(cursor_of(self._session), self._key, made)
