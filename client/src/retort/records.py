"""The server's JSON as it came, with names for what is read most; still a dict in every way."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from retort import html
from retort.stream import TERMINAL

Json = dict[str, Any]


class Record(dict[str, Any]):
    """A JSON object; fields that newer servers add are there too. A copy is a plain dict."""

    def __init__(self, data: Mapping[str, Any], client: Any = None) -> None:
        super().__init__(data)
        self._client = client

    def __reduce__(self) -> tuple[Any, ...]:
        return (dict, (dict(self),))

    @property
    def id(self) -> str:
        return str(self["id"])

    def _now(self, data: Mapping[str, Any]) -> None:
        """Become what the server says now."""
        self.clear()
        self.update(data)


class FileRecord(Record):
    """An uploaded file, or one that a job made."""

    @property
    def name(self) -> str:
        return str(self["name"])

    @property
    def size(self) -> int:
        return int(self["size"])

    @property
    def sha256(self) -> str:
        return str(self["sha256"])


class JobRecord(Record):
    """A job as it was when it was last looked at."""

    @property
    def kind(self) -> str:
        return str(self["kind"])

    @property
    def state(self) -> str:
        """waiting, queued, running, succeeded, failed, cancelled, ..."""
        return str(self["state"])

    @property
    def params(self) -> Json:
        return dict(self["params"])

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.get("labels") or {})

    @property
    def progress(self) -> Json:
        return dict(self.get("progress") or {})

    @property
    def percent(self) -> float:
        """0 to 100."""
        if self.state == "succeeded":
            return 100.0
        return float(self.progress.get("percent") or 0.0)

    @property
    def error(self) -> Json | None:
        """The problem document of a failed job."""
        return self.get("error")

    @property
    def warnings(self) -> list[Json]:
        return list(self.get("warnings") or [])

    @property
    def done(self) -> bool:
        return self.state in TERMINAL

    @property
    def seconds(self) -> float | None:
        """How long it ran, s; None while it has not ended."""
        if not self.get("started_at") or not self.get("finished_at"):
            return None
        started, finished = (
            datetime.fromisoformat(self[name]) for name in ("started_at", "finished_at")
        )
        return (finished - started).total_seconds()

    def __repr__(self) -> str:
        return f"<Job {self.get('id')}: {self.get('kind')}, {self.get('state')}>"

    def _repr_html_(self) -> str:
        return html.job(self)


class DatasetRecord(Record):
    """One version of a data set."""

    @property
    def ref(self) -> str:
        """`name:3`."""
        return str(self["ref"])

    @property
    def name(self) -> str:
        return str(self["name"])

    @property
    def state(self) -> str:
        """ingesting, ready or failed."""
        return str(self["state"])

    @property
    def columns(self) -> list[Json]:
        return list(self["columns"])

    @property
    def targets(self) -> list[str]:
        return [column["name"] for column in self.columns if column["role"] == "target"]

    def __repr__(self) -> str:
        said = f"{self.get('rows_ok')} of {self.get('rows_in')} rows"
        return f"<Dataset {self.get('ref')}: {self.get('state')}, {said}>"

    def _repr_html_(self) -> str:
        return html.dataset(self)


class ModelRecord(Record):
    """One version of a model."""

    @property
    def ref(self) -> str:
        """`name:3`."""
        return str(self["ref"])

    @property
    def name(self) -> str:
        return str(self["name"])

    @property
    def number(self) -> int:
        return int(self["number"])

    @property
    def task(self) -> str:
        return str(self["task"])

    @property
    def aliases(self) -> list[str]:
        return list(self["aliases"])

    @property
    def metrics(self) -> Json:
        """`metrics["test"][target][metric]` is {value, ci_low, ci_high}; `baseline` likewise."""
        return dict(self["metrics"])

    def __repr__(self) -> str:
        return f"<Model {self.get('ref')}: {self.get('algorithm')}, {self.get('task')}>"

    def _repr_html_(self) -> str:
        return html.model(self)


def ref_of(thing: Any) -> str:
    """What to call a data set or model in a request: its `ref`, or the text as it is."""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, Mapping) and ("ref" in thing or "id" in thing):
        return str(thing.get("ref") or thing["id"])
    raise TypeError(f"a name, name:3 or the object itself, not {type(thing).__name__}")


def id_of(thing: Any) -> str:
    """The id of a job or file, or the text as it is."""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, Mapping) and "id" in thing:
        return str(thing["id"])
    raise TypeError(f"an id or the object itself, not {type(thing).__name__}")
