"""Pages of lists: `limit` and `cursor` in; items, `next_cursor` and `Link: rel="next"` out.

A cursor is a place in one list with its filters: in another list, or with other filters, it is
refused instead of giving a page of something else.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api.dependencies import Caller
from api.responses import json_response
from app.core.errors import InvalidInput

_CHECK_BYTES = 6


class PageRequest:
    """Which page of which list is asked for. Raises InvalidInput for a cursor of no page of it."""

    def __init__(
        self,
        request: Request,
        caller: Caller,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=400)] = None,
    ) -> None:
        self.limit = limit
        self._path = request.url.path
        self._filters = [
            (name, value)
            for name, value in request.query_params.multi_items()
            if name not in ("limit", "cursor")
        ]
        self._scope = f"{caller.project_id}\n{self._path}\n{sorted(self._filters)}".encode()
        self._place = None if cursor is None else self._opened(cursor)

    @property
    def rows(self) -> int:
        """How many to fetch: one more than are shown tells whether there is a next page."""
        return self.limit + 1

    @property
    def before_id(self) -> UUID | None:
        """Of a list that is newest first."""
        return None if self._place is None else UUID(bytes=self._place)

    @property
    def after_name(self) -> str | None:
        """Of a list by name."""
        return None if self._place is None else self._place.decode()

    @property
    def before_number(self) -> int | None:
        """Of a list that is ordered by a counter, newest first."""
        return None if self._place is None else int(self._place)

    def answer(
        self, rows: Sequence[Any], show: Callable[[Any], Any], *, place: str = "id"
    ) -> Response:
        """The page from up to `self.rows` rows; `place`: the attribute that they are ordered by."""
        shown = rows[: self.limit]
        last = getattr(shown[-1], place) if len(rows) > self.limit else None
        return self.answer_until([show(row) for row in shown], last)

    def answer_until(
        self, items: list[Any], last: UUID | str | int | None, **beside: Any
    ) -> Response:
        """`last`: the next page begins behind it; None: there is none. `beside`: other members."""
        if last is None:
            return json_response({"items": items, "next_cursor": None, **beside})
        cursor = self._sealed(last.bytes if isinstance(last, UUID) else str(last).encode())
        query = urlencode([*self._filters, ("limit", str(self.limit)), ("cursor", cursor)])
        headers = {"Link": f'<{self._path}?{query}>; rel="next"'}
        return json_response({"items": items, "next_cursor": cursor, **beside}, headers=headers)

    def _check(self, place: bytes) -> bytes:
        """Tells lists apart; it guards nothing: whoever makes up a place sees only his own rows."""
        return hashlib.sha256(self._scope + b"\n" + place).digest()[:_CHECK_BYTES]

    def _sealed(self, place: bytes) -> str:
        return base64.urlsafe_b64encode(self._check(place) + place).rstrip(b"=").decode()

    def _opened(self, cursor: str) -> bytes:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        place = raw[_CHECK_BYTES:]
        if not place or raw[:_CHECK_BYTES] != self._check(place):
            raise InvalidInput(
                "the cursor is not of this list with these filters",
                code="invalid_cursor",
                remedy="Send the next_cursor of the page before with the same filters, or begin"
                " again without a cursor.",
            )
        return place


WithPage = Annotated[PageRequest, Depends()]
