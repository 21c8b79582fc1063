"""Postgres, Redis and the disk: are they as the job engine needs them?"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from app.db.schema_version import schema_state
from app.monitoring.worker_reports import worker_usages
from app.resources import Resources
from workers.broker import on_redis
from workers.doctor.finding import Finding, ok

_SKEW_SECONDS = 5.0
_GIB = 1 << 30
_ROOMY = 5
_FULL = 0.9


def schema(resources: Resources) -> Iterator[Finding]:
    found = schema_state(resources.database)
    if found.state == "current":
        yield ok("schema", f"migrated to {found.found}")
    elif found.state == "newer":
        yield Finding(
            name="schema",
            state="warn",
            said=f"the database is at {found.found}, which this release ({found.needed}) lacks",
            why="A newer release has migrated it; this one works on, but knows less.",
            remedy="Upgrade this machine too (docs/upgrading.md).",
        )
    elif found.state == "unknown":
        yield ok("schema", f"at {found.found}; the migrations are not on this machine to compare")
    else:
        yield Finding(
            name="schema",
            state="fail",
            said=f"the database is at {found.found or 'nothing'}, this release needs"
            f" {found.needed or 'its tables'}",
            why="Statements fail on columns that are not there yet.",
            remedy="python -m alembic upgrade head",
        )


def clocks(resources: Resources) -> Iterator[Finding]:
    """This machine, Redis and each worker's machine beside Postgres, whose time counts."""
    before = time.time()
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float AS now")
        row: Any = cursor.fetchone()
    truth = float(row["now"]) - (before + time.time()) / 2
    skews = {"this machine": -truth}
    asked = time.time()
    seconds, microseconds = resources.cache.time()
    redis_skew = float(seconds) + float(microseconds) / 1e6 - (asked + time.time()) / 2 - truth
    skews["Redis (cache)"] = redis_skew
    for usage in worker_usages(resources.cache):
        skews[usage.host] = usage.clock_ahead + redis_skew
    wrong = {name: skew for name, skew in skews.items() if abs(skew) > _SKEW_SECONDS}
    if not wrong:
        yield ok("clocks", f"{len(skews)} within {_SKEW_SECONDS:g} s of Postgres")
        return
    told = ", ".join(f"{name} by {skew:+.0f} s" for name, skew in sorted(wrong.items()))
    yield Finding(
        name="clocks",
        state="warn",
        said=f"they differ from Postgres: {told}",
        why="Deadlines, expiry of keys and signatures, and logs of several machines go wrong.",
        remedy="timedatectl set-ntp true   (on each of them)",
    )


def broker(resources: Resources) -> Iterator[Finding]:
    """Messages must not be evicted, and survive a restart."""
    if not on_redis(resources.settings.celery_broker_url):
        yield ok("broker", "not Redis; its own tools tell how it keeps messages")
        return
    client = redis.Redis.from_url(
        resources.settings.celery_broker_url, socket_timeout=5, socket_connect_timeout=2
    )
    with client:
        try:
            policy = _config(client, "maxmemory-policy")
            kept = _config(client, "appendonly")
        except redis.ResponseError:  # hosted servers forbid CONFIG
            yield ok("broker", "it does not tell its settings; see that it never evicts")
            return
        memory: Any = client.info("memory")
    if policy != "noeviction":
        yield Finding(
            name="broker",
            state="fail",
            said=f"Redis evicts when it is full (maxmemory-policy {policy})",
            why="Messages of jobs are thrown away; they come again only after minutes.",
            remedy="redis-cli CONFIG SET maxmemory-policy noeviction   (and in its configuration)",
        )
    if kept != "yes":
        yield Finding(
            name="broker",
            state="fail",
            said="Redis keeps messages in memory only (appendonly no)",
            why="A restart loses all queues at once; the sweeper has to send everything again.",
            remedy="redis-cli CONFIG SET appendonly yes   (and in its configuration)",
        )
    limit = int(memory.get("maxmemory", 0))
    if limit and memory["used_memory"] > _FULL * limit:
        yield Finding(
            name="broker",
            state="fail",
            said=f"Redis has used {memory['used_memory'] / limit:.0%} of its memory",
            why="When it is full no job can be published.",
            remedy="Raise its maxmemory, or add workers to empty the queues.",
        )
    elif policy == "noeviction" and kept == "yes":
        yield ok("broker", "Redis never evicts, and keeps a file")


def _config(client: "redis.Redis[bytes]", name: str) -> str:
    told: Any = client.config_get(name)
    return str(next(iter(told.values()), ""))


def disk(resources: Resources) -> Iterator[Finding]:
    """Where blobs lie, when that is a folder of this machine."""
    settings = resources.settings
    if settings.s3_bucket:
        return
    folder = settings.storage_root.absolute()
    there: Path = next((one for one in (folder, *folder.parents) if one.is_dir()), Path("/"))
    usage = shutil.disk_usage(there)
    said = f"{usage.free / _GIB:.1f} GiB free for blobs at {folder}"
    if usage.free >= _ROOMY * _GIB:
        yield ok("blobs", said)
        return
    yield Finding(
        name="blobs",
        state="fail" if usage.free < _GIB else "warn",
        said=said,
        why="Jobs wait when their results cannot be written.",
        remedy=f"du -xh --max-depth=2 {folder} | sort -h | tail   (then make room, or use S3)",
    )
