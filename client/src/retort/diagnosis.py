"""What may be wrong between a user and a working cluster, looked at in turn."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

import httpx

from retort._sync.client import Retort
from retort.errors import Forbidden, NotFound, RetortError
from retort.version import __version__

_SECONDS = 5.0
_SKEW_SECONDS = 5.0
#: the server tries what may not answer, each for some seconds
_PATIENT_SECONDS = 60.0
#: of the server's findings: `workers` below tells the same
_SAID_BEFORE = "queues"
_STUCK_SECONDS = 600.0
_GIB = 1 << 30
#: queues without which jobs wait for ever; gpu work falls back to the cpu queue
_NEEDED = frozenset({"cpu", "predict", "predict_now", "control"})


@dataclass(frozen=True, kw_only=True)
class Finding:
    name: str
    state: Literal["ok", "warn", "fail"]
    said: str
    #: what to do; empty where nothing is to be done
    remedy: str = ""
    #: why it matters
    why: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def ok(name: str, said: str) -> Finding:
    return Finding(name=name, state="ok", said=said)


def examine(connect: Callable[[], Retort]) -> list[Finding]:
    """Every finding, in order; what cannot be looked at because of an earlier fail is left out."""
    try:
        client = connect()
    except RetortError as error:
        return [_failed("configuration", error)]
    with client:
        findings = [ok("configuration", f"{client.url} ({client.config_source})")]
        findings += _of_server(client)
        return [*findings, *installation(client), *disk(client)]


def _of_server(client: Retort) -> Iterator[Finding]:
    client = client.with_options(attempts=1, timeout=_SECONDS)
    try:
        answer = client.transport.request("GET", "/health/live")
    except RetortError as error:
        yield _failed("server", error)
        return
    yield ok("server", "it answers")
    yield clock(answer)
    yield ready(client)
    try:
        about = client.about()
    except RetortError as error:
        yield _failed("key", error)
        return
    yield ok("key", f"you are {about['caller']}")
    yield version(str(about.get("version")))
    yield from workers(client)
    yield from links(about.get("links") or {})


def _failed(name: str, error: RetortError) -> Finding:
    return Finding(name=name, state="fail", said=error.detail, remedy=error.remedy)


def clock(answer: httpx.Response) -> Finding:
    """The server's Date beside ours; signatures and deadlines suffer from a wrong one."""
    try:
        there = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        return ok("clock", "the server does not say its time")
    skew = (datetime.now(UTC) - there).total_seconds()
    if abs(skew) <= _SKEW_SECONDS:
        return ok("clock", "as the server's")
    way = "ahead of" if skew > 0 else "behind"
    said = f"this machine is {abs(skew):.0f} s {way} the server"
    return Finding(
        name="clock", state="warn", said=said, remedy="Set both clocks by NTP (timedatectl)."
    )


def ready(client: Retort) -> Finding:
    """Whether Postgres, Redis and the blob store answer the gateway."""
    answer = client.transport.http.get(f"{client.url}/health/ready", timeout=_SECONDS)
    try:
        checks: dict[str, Any] = answer.json()["checks"]
    except (ValueError, KeyError, TypeError):
        checks = {"gateway": f"HTTP {answer.status_code}"}
    ill = {name: said for name, said in checks.items() if said != "ok"}
    if not ill and answer.is_success:
        return ok("stores", ", ".join(checks))
    said = ", ".join(f"{name}: {what}" for name, what in ill.items())
    remedy = "Look at its log and start it again (`make status`, `docker compose ps`)."
    return Finding(name="stores", state="fail", said=f"not ready: {said}", remedy=remedy)


def version(server: str) -> Finding:
    said = f"server {server}, client {__version__}"
    mine, theirs = (text.split(".")[:2] for text in (__version__, server))
    if mine == theirs:
        return ok("version", said)
    remedy = f'Install the matching client: pip install "retort-client=={server}".'
    return Finding(name="version", state="warn", said=f"they differ: {said}", remedy=remedy)


def workers(client: Retort) -> Iterator[Finding]:
    """Somebody at each queue, and nothing waiting for ever."""
    try:
        queues = client.admin.queues()
    except Forbidden:
        yield ok("workers", "not looked at: queues and workers are for operators")
        return
    except RetortError as error:
        yield _failed("workers", error)
        return
    idle = [queue["queue"] for queue in queues if not queue["workers"]]
    missing = [name for name in idle if name in _NEEDED]
    stuck = [
        queue["queue"]
        for queue in queues
        if queue["oldest_seconds"] > _STUCK_SECONDS and not queue["running"]
    ]
    remedy = "Start them: `make up`, `docker compose up -d`, or see the workers' logs."
    if missing:
        said = f"nobody works at {', '.join(missing)}: jobs there wait"
        yield Finding(name="workers", state="fail", said=said, remedy=remedy)
    elif idle:
        said = f"nobody works at {', '.join(idle)}; its jobs wait or run on the cpu"
        yield Finding(name="workers", state="warn", said=said, remedy=remedy)
    else:
        yield ok("workers", f"at every queue ({', '.join(q['queue'] for q in queues)})")
    if stuck:
        said = f"{', '.join(stuck)}: the oldest job waits since more than 10 minutes"
        yield Finding(name="queues", state="warn", said=said, remedy=remedy)


def installation(client: Retort) -> Iterator[Finding]:
    """What the server finds in itself; a server of the release before does not look."""
    try:
        found = client.with_options(attempts=1, timeout=_PATIENT_SECONDS).admin.diagnosis()
    except NotFound:
        return
    except RetortError as error:
        if error.status == 403:
            yield ok("installation", "only administrators are told more")
        elif error.status != 401:  # said of the key already
            yield _failed("installation", error)
        return
    for item in found:
        if item["name"] != _SAID_BEFORE:
            names = ("name", "state", "said", "why", "remedy")
            yield Finding(**{name: item[name] for name in names})


def links(known: dict[str, Any]) -> Iterator[Finding]:
    """The pages beside ours; a login page is an answer too."""
    for name in ("flower", "mlflow"):
        address = known.get(name)
        if not address:
            continue
        try:
            httpx.get(str(address), timeout=_SECONDS, follow_redirects=True)
            found = _open_flower(str(address)) if name == "flower" else ok(name, str(address))
        except httpx.HTTPError as error:
            said = f"{address} does not answer ({type(error).__name__})"
            remedy = "Jobs run without it; start it again, or correct its address in the settings."
            yield Finding(name=name, state="warn", said=said, remedy=remedy)
        else:
            yield found


def _open_flower(address: str) -> Finding:
    """Whether it shows its workers to somebody without a login."""
    answer = httpx.get(f"{address.rstrip('/')}/api/workers", timeout=_SECONDS)
    if answer.status_code != 200:
        return ok("flower", address)
    return Finding(
        name="flower",
        state="fail",
        said=f"{address} is open to everybody who can reach it",
        why="It shows what every job is about, and may let anybody end workers.",
        remedy="Set FLOWER_BASIC_AUTH=user:password and start it again (docs/monitoring.md).",
    )


def disk(client: Retort) -> Sequence[Finding]:
    """Room where an embedded cluster keeps its data; nothing for a server elsewhere."""
    home = Path(client.config_source).parent
    if not (home / "state.json").is_file():
        return []
    free = shutil.disk_usage(home).free
    said = f"{free / _GIB:.1f} GiB free at {home}"
    remedy = "Make room: Postgres stops at a full disk."
    if free < _GIB:
        return [Finding(name="disk", state="fail", said=said, remedy=remedy)]
    if free < 5 * _GIB:
        return [Finding(name="disk", state="warn", said=said, remedy=remedy)]
    return [ok("disk", said)]
