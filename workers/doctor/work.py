"""Jobs and who works on them: does anything stand still?"""

from collections.abc import Iterator
from typing import Any, LiteralString

from app.core.code_revision import code_revision
from app.jobs.chunks import bulk_of
from app.jobs.store import queue_figures
from app.jobs.workers import alive_workers
from app.models.warming import WARM_CHANNEL
from app.monitoring.worker_reports import worker_usages
from app.resources import Resources
from workers.doctor.finding import Finding, ok
from workers.queues import GPU, NAMES

#: a job that has been sent so often, or waits so long after its time, goes nowhere by itself
_MANY_MESSAGES = 8
_LATE_SECONDS = 300.0
_RESTART = "make up   (or docker compose up -d; then their logs)"

_EXPIRED: LiteralString = """
SELECT id, extract(epoch FROM now() - lease_expires_at)::float AS seconds FROM jobs
WHERE state = 'running' AND lease_expires_at < now() - make_interval(secs => %(patience)s)
ORDER BY lease_expires_at LIMIT 1000
"""
_STUCK: LiteralString = """
SELECT id, 'sent ' || dispatch_count || ' times and never taken' AS why FROM jobs
WHERE state = 'queued' AND dispatch_count >= %(many)s
UNION ALL
SELECT id, 'its next try is overdue' FROM jobs
WHERE state = 'retrying' AND run_at < now() - make_interval(secs => %(late)s)
UNION ALL
SELECT id, 'it should have stopped' FROM jobs
WHERE state = 'running' AND (cancel_requested_at < now() - make_interval(secs => %(late)s)
    OR deadline_at < now() - make_interval(secs => %(late)s))
LIMIT 1000
"""
_SHORT: LiteralString = """
SELECT e.name, (r.spec->>'min_replicas')::int AS asked
FROM endpoints e JOIN endpoint_revisions r ON r.endpoint_id = e.id AND r.active
WHERE e.state = 'active' AND (r.spec->>'min_replicas')::int > %(alive)s
ORDER BY asked DESC, e.name LIMIT 1000
"""
_CLAIMED: LiteralString = """
SELECT DISTINCT worker FROM jobs WHERE state = 'running' AND claim_token IS NOT NULL
UNION SELECT worker FROM job_chunks WHERE state = 'running' AND claim_token IS NOT NULL
"""


def leases(resources: Resources) -> Iterator[Finding]:
    """The sweeper takes back what ran out; two rounds later nothing is left."""
    patience = 3 * resources.settings.sweep_seconds
    found = _rows(resources, _EXPIRED, {"patience": patience})
    if not found:
        yield ok("leases", "none has run out")
        return
    yield Finding(
        name="leases",
        state="fail",
        said=f"{len(found)} jobs hold a lease that ran out {found[0]['seconds']:.0f} s ago,"
        f" such as {found[0]['id']}",
        why="Nobody takes them back: the sweeper does not run.",
        remedy=f"See that beat and a control worker live: {_RESTART}",
    )


def stuck_jobs(resources: Resources) -> Iterator[Finding]:
    found = _rows(resources, _STUCK, {"many": _MANY_MESSAGES, "late": _LATE_SECONDS})
    if not found:
        yield ok("jobs", "none is stuck")
        return
    first = found[0]
    yield Finding(
        name="jobs",
        state="fail",
        said=f"{len(found)} are stuck, such as {first['id']}: {first['why']}",
        why="They wait for somebody who does not come.",
        remedy=f"retort jobs show {first['id']}   (then `retort jobs cancel` or `retry`)",
    )


def queues(resources: Resources) -> Iterator[Finding]:
    """Somebody at each; jobs of the gpu queue may fall back to the cpu."""
    workers = alive_workers(resources.cache)
    served = {queue for worker in workers for queue in worker.queues}
    alone = [name for name in NAMES if name not in served]
    if not alone:
        yield ok("queues", "somebody works at each")
        return
    waiting = {row["queue"]: row["queued"] for row in queue_figures(resources.database)}
    told = [f"{name} ({waiting[name]} wait)" if waiting.get(name) else name for name in alone]
    only_gpu = set(alone) <= {GPU, bulk_of(GPU)}
    yield Finding(
        name="queues",
        state="warn" if only_gpu and not waiting.get(GPU) else "fail",
        said=f"nobody works at {', '.join(told)}",
        why="Jobs there wait for ever.",
        remedy=_RESTART,
    )


def replicas(resources: Resources) -> Iterator[Finding]:
    """As many serving processes as endpoints ask for: each listens for models to load."""
    ((_, alive),) = resources.redis.pubsub_numsub(WARM_CHANNEL)
    found = _rows(resources, _SHORT, {"alive": alive})
    if not found:
        yield ok("replicas", f"serving processes that live: {alive}; no endpoint asks for more")
        return
    told = ", ".join(f"{row['name']} {row['asked']}" for row in found[:5])
    yield Finding(
        name="replicas",
        state="warn",
        said=f"serving processes that live: {alive}; min_replicas of endpoints: {told}",
        why="All serving processes answer for all endpoints; fewer answer less at once.",
        remedy="Raise RETORT_SERVING_PROCESSES, start more predict workers, or ask for fewer.",
    )


def claims(resources: Resources) -> Iterator[Finding]:
    """Work in the hands of workers that no longer tell of themselves."""
    alive = {worker.name for worker in alive_workers(resources.cache)}
    dead = sorted({str(row["worker"]) for row in _rows(resources, _CLAIMED, {})} - alive)
    if not dead:
        yield ok("claims", f"{len(alive)} workers tell of themselves")
        return
    yield Finding(
        name="claims",
        state="warn",
        said=f"{', '.join(dead[:5])} hold work and do not tell of themselves",
        why="They died, or cannot reach Redis; their work is taken back when its lease ends.",
        remedy="Look at their log; nothing else if they were stopped within the last minute.",
    )


def versions(resources: Resources) -> Iterator[Finding]:
    """Workers that run another release than who asks, and than each other."""
    ours = str(code_revision()["version"])
    found = {usage.worker: usage.version for usage in worker_usages(resources.cache)}
    others = {name: version for name, version in found.items() if version not in ("", ours)}
    if not others:
        yield ok("versions", f"{ours} everywhere")
        return
    told = ", ".join(f"{name} {version}" for name, version in sorted(others.items())[:5])
    yield Finding(
        name="versions",
        state="warn",
        said=f"here runs {ours}, but {told}",
        why="Two releases in a row run together; further apart they may not understand each other.",
        remedy="Upgrade the rest (docs/upgrading.md).",
    )


def _rows(resources: Resources, query: LiteralString, values: dict[str, Any]) -> list[Any]:
    with resources.database.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()
