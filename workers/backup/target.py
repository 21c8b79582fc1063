"""Which database and blob store: those of the environment, or those of the embedded cluster."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from app.core.errors import Conflict, InvalidInput
from app.core.settings import Settings, get_settings
from workers.embedded.home import Home
from workers.embedded.state import end_orphans, only_supervisor, read_state
from workers.servers import PostgresServer


def cluster_settings(*, embedded: bool, at_rest: bool) -> AbstractContextManager[Settings]:
    """Settings that hold while the block lasts. `at_rest`: the cluster must not run."""
    return _embedded(Home.find(), at_rest=at_rest) if embedded else nullcontext(get_settings())


@contextmanager
def _embedded(home: Home, *, at_rest: bool) -> Iterator[Settings]:
    """As workers/embedded/cluster.py finds them. The Postgres of a cluster that does not run is
    started for this alone; `make up` waits outside meanwhile.
    """
    settings = get_settings()
    if not at_rest and not home.root.exists():
        raise InvalidInput(
            f"there is no embedded cluster in {home.root}",
            remedy="Set RETORT_HOME to its data folder.",
        )
    changes: dict[str, Any] = {}
    if "storage_root" not in settings.model_fields_set:
        changes["storage_root"] = home.root / "blobs"
    with only_supervisor(home.make()) as stopped:
        if at_rest and not stopped:
            raise Conflict(
                f"the cluster in {home.root} runs",
                remedy="Stop it with `make down`, then restore.",
            )
        if "database_url" in settings.model_fields_set:
            yield settings.model_copy(update=changes)
            return
        with _postgres(home, stopped=stopped) as url:
            yield settings.model_copy(update={**changes, "database_url": url})


@contextmanager
def _postgres(home: Home, *, stopped: bool) -> Iterator[str]:
    """The URL of the embedded cluster's database."""
    if not stopped:
        # the port as it was noted: asking for a free one would move the server at its next start
        port = int(json.loads((home.root / "ports.json").read_text())["postgres"])
        running = PostgresServer(home.root / "postgres", port=port)
        running.prepare()
        yield running.url
        return
    if state := read_state(home):
        end_orphans(state)
    server = PostgresServer(
        home.root / "postgres", port=home.port("postgres"), log=home.log("postgres")
    )
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
