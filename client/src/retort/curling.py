"""Any call of the client as curl commands, without sending it."""

from collections.abc import Iterator
from typing import Any

from retort.curl import Shown


class Curl:
    """`client.curl.jobs.list(state="failed")`: names as on the client, text as the answer.

    What needs an earlier answer stands there as a word in capitals (FILE_ID).
    """

    def __init__(self, url: str, path: tuple[str, ...] = ()) -> None:
        self._url = url
        self._path = path

    def __getattr__(self, name: str) -> "Curl":
        return Curl(self._url, (*self._path, name))

    def __getitem__(self, name: str) -> "Curl":
        return Curl(self._url, (*self._path, f"[{name}"))

    def __call__(self, *arguments: Any, **options: Any) -> str:
        from retort._sync.client import Retort
        from retort._sync.transport import Showing

        showing = Showing(self._url)
        client = object.__new__(Retort)
        client.config_source = "-"
        client._equip(showing)
        found: Any = client
        for name in self._path:
            found = found[name[1:]] if name.startswith("[") else getattr(found, name)
        try:
            answer = found(*arguments, **options)
            if isinstance(answer, Iterator):
                next(answer)
        except Shown:
            pass  # the last call needs an answer: this is where it ends
        return "\n".join(call.curl() for call in showing.calls)
