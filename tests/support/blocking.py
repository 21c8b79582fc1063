"""The asynchronous client behind a face that waits, so that one suite tests both."""

import asyncio
import inspect


class Blocking:
    """Every call of `client` runs to its end on a loop of its own; streams become iterators."""

    def __init__(self, client, loop=None):
        self._client, self._loop = client, loop or asyncio.new_event_loop()
        self._owns_loop = loop is None

    def __getattr__(self, name):
        return self._faced(getattr(self._client, name))

    def __getitem__(self, name):
        return self._faced(self._client[name])

    def __iter__(self):
        iterator = self._client.__aiter__()
        while True:
            try:
                yield self._faced(self._loop.run_until_complete(iterator.__anext__()))
            except StopAsyncIteration:
                return

    def __enter__(self):
        self._loop.run_until_complete(self._client.__aenter__())
        return self

    def __exit__(self, *reason):
        self._loop.run_until_complete(self._client.__aexit__(*reason))
        if self._owns_loop:
            self._loop.close()

    def _faced(self, found):
        if inspect.iscoroutine(found):
            return self._faced(self._loop.run_until_complete(found))
        if callable(found) and not isinstance(found, type):
            return lambda *a, **k: self._faced(found(*a, **k))
        if hasattr(found, "__aiter__") or type(found).__module__.startswith("retort._async"):
            return (
                _Faced(found, self._loop)
                if isinstance(found, dict)
                else Blocking(found, self._loop)
            )
        return found


class _Faced(dict):
    """A job, data set or model: its JSON, and its methods that wait."""

    def __init__(self, record, loop):
        super().__init__(record)
        self._record, self._face = record, Blocking(record, loop)

    def __getattr__(self, name):
        found = getattr(self._face, name)
        self.clear()
        self.update(self._record)
        return found

    def __getitem__(self, name):
        return self._record[name]
