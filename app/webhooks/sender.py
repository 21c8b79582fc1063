"""Sending: driven from Postgres, so that nothing is lost with a process.

A delivery is claimed (a token, a try more, a lease), sent outside of any transaction, and its
outcome is written only if the token still is ours. A sender that dies leaves the claim; when its
lease is over, another sends again: at least once, with the same `webhook-id`. Of one webhook and
subject only the oldest that waits may be claimed, so that they arrive in order.
"""

import http.client
import logging
import random
import ssl
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString
from uuid import UUID, uuid4

from app.core.clock import utc_now
from app.core.errors import RetortError
from app.core.settings import Settings
from app.db.database import Cursor, Database, cursor_of
from app.db.events import WebhookRow
from app.events.envelope import MEDIA_TYPE, Event, as_bytes
from app.events.log import NewEvent, record
from app.events.reading import find_event
from app.events.types.operations import WebhookDisabled
from app.net.client import elapsed_ms, post
from app.net.guard import NetPolicy, resolve_target
from app.webhooks import records, signing
from app.webhooks.policy import policy_of
from app.webhooks.signing import KeyRing

logger = logging.getLogger(__name__)

#: pauses between the tries of one delivery: eight more tries within about 41 hours
RETRY_SECONDS = (5.0, 30.0, 120.0, 600.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0)
_JITTER = 0.2
#: what is kept of an answer
KEEP_BYTES = 1_024
_GONE = 410
_OK = range(200, 300)
_USER_AGENT = "Retort-Webhooks/1"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to send; the settings' (app/core/settings.py), and what tests make short."""

    policy: NetPolicy
    keys: KeyRing
    #: of one exchange
    timeout_seconds: float = 10.0
    #: of a claim; well above an exchange with its look-up of the name
    lease_seconds: float = 120.0
    retry_seconds: tuple[float, ...] = RETRY_SECONDS
    #: a webhook is disabled when so many tries in a row failed, over at least so long
    disable_failures: int = 20
    disable_hours: float = 72.0
    #: exchanges at once, and of them with one webhook
    threads: int = 8
    per_webhook: int = 3
    #: no new exchange begins after so many seconds
    round_seconds: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """One delivery in hand."""

    id: UUID
    webhook_id: UUID
    token: UUID
    attempt: int
    event: Event


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an exchange came to; without a status there was no answer."""

    ok: bool
    status: int | None = None
    response: str | None = None
    error: str | None = None
    retry_after: float | None = None
    duration_ms: float = 0.0


@dataclass(kw_only=True)
class _Round:
    """What the threads of one round share."""

    ends: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: Counter[UUID] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)


def send_due(database: Database, options: Options) -> dict[str, int]:
    """Everything that is due, until the round is over: how many were delivered, and failed."""
    if not _any_due(database):
        return {}
    shared = _Round(ends=time.monotonic() + options.round_seconds)
    with ThreadPoolExecutor(options.threads, thread_name_prefix="webhooks") as pool:
        workers = [pool.submit(_work, database, options, shared) for _ in range(options.threads)]
        for worker in workers:
            worker.result()
    return dict(shared.sent)


def _work(database: Database, options: Options, shared: _Round) -> None:
    while time.monotonic() < shared.ends:
        with shared.lock:
            full = [key for key, n in shared.busy.items() if n >= options.per_webhook]
            claimed = claim(database, options, full)
            if claimed is not None:
                shared.busy[claimed.webhook_id] += 1
        if claimed is None:
            return
        try:
            outcome = exchange(database, options, claimed)
            settle(database, options, claimed, outcome)
            with shared.lock:
                shared.sent["delivered" if outcome.ok else "failed"] += 1
        finally:
            with shared.lock:
                shared.busy[claimed.webhook_id] -= 1


_FREE: LiteralString = """
d.state = 'pending' AND d.next_at <= now() AND w.state = 'active'
AND NOT EXISTS (
    SELECT 1 FROM webhook_deliveries b WHERE b.webhook_id = d.webhook_id AND b.subject = d.subject
    AND b.state = 'pending' AND b.number < d.number)
"""


def _any_due(database: Database) -> bool:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id"
            f" WHERE {_FREE} LIMIT 1"
        )
        return cursor.fetchone() is not None


def claim(database: Database, options: Options, full: list[UUID]) -> Claimed | None:
    """The one that has waited longest and may be sent, of no webhook in `full`."""
    token = uuid4()
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT d.id FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id"
            f" WHERE {_FREE} AND d.webhook_id <> ALL(%s) ORDER BY d.next_at, d.number LIMIT 1"
            " FOR UPDATE OF d SKIP LOCKED",
            (full,),
        )
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(
            "UPDATE webhook_deliveries SET claim_token = %s, attempt = attempt + 1,"
            " sent_at = now(), next_at = now() + make_interval(secs => %s) WHERE id = %s"
            " RETURNING webhook_id, event_id, attempt",
            (token, options.lease_seconds, row["id"]),
        )
        mine = cursor.fetchone()
        if mine is None:
            return None
        event = _event(cursor, mine["event_id"])
    return Claimed(
        id=row["id"],
        webhook_id=mine["webhook_id"],
        token=token,
        attempt=mine["attempt"],
        event=event,
    )


def _event(cursor: Cursor, event_id: UUID) -> Event:
    event = find_event(cursor, event_id)
    if event is None:
        raise LookupError(f"the event {event_id} is gone")  # its deliveries go with it
    return event


def exchange(database: Database, options: Options, claimed: Claimed) -> Outcome:
    """One try. Whatever the receiver does is an outcome, not an error."""
    began, now = time.monotonic(), utc_now()
    with database.session() as session:
        webhook = session.get_one(WebhookRow, claimed.webhook_id)
    try:
        secrets = records.valid_secrets(webhook, options.keys, now)
        reply = post(
            resolve_target(webhook.url, options.policy),
            body := as_bytes(claimed.event),
            {
                "Content-Type": MEDIA_TYPE,
                "User-Agent": _USER_AGENT,
                **signing.headers(secrets, str(claimed.event.id), now, body),
            },
            seconds=options.timeout_seconds,
            keep_bytes=KEEP_BYTES,
        )
    except RetortError as error:
        return Outcome(ok=False, error=error.detail, duration_ms=elapsed_ms(began))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Outcome(ok=False, error=_in_words(error), duration_ms=elapsed_ms(began))
    return Outcome(
        ok=reply.status in _OK,
        status=reply.status,
        response=reply.text,
        error=None if reply.status in _OK else f"the receiver answered {reply.status}",
        retry_after=_seconds(reply.retry_after),
        duration_ms=elapsed_ms(began),
    )


def settle(database: Database, options: Options, claimed: Claimed, outcome: Outcome) -> None:
    """Write what came of it, if the claim still is ours: else another sender has it now."""
    pause = _pause(options, claimed.attempt, outcome)
    state = "delivered" if outcome.ok else "pending" if pause is not None else "failed"
    with database.session() as session:
        webhook = session.get_one(WebhookRow, claimed.webhook_id, with_for_update=True)
        cursor = cursor_of(session)
        cursor.execute(
            "UPDATE webhook_deliveries SET state = %(state)s, claim_token = NULL,"
            " next_at = now() + make_interval(secs => %(pause)s), status = %(status)s,"
            " response = %(response)s, error = %(error)s, duration_ms = %(duration_ms)s,"
            " delivered_at = CASE WHEN %(state)s = 'delivered' THEN now() ELSE delivered_at END"
            " WHERE id = %(id)s AND claim_token = %(token)s AND state = 'pending' RETURNING id",
            {
                "state": state,
                "pause": pause or 0.0,
                "status": outcome.status,
                "response": outcome.response,
                "error": outcome.error,
                "duration_ms": outcome.duration_ms,
                "id": claimed.id,
                "token": claimed.token,
            },
        )
        if cursor.fetchone() is None or webhook.state != "active":
            return
        if outcome.ok:
            webhook.failures, webhook.failing_since = 0, None
            return
        webhook.failures += 1
        webhook.failing_since = webhook.failing_since or utc_now()
        reason = _reason_to_disable(options, webhook, outcome, utc_now())
        if reason is not None:
            session.flush()
            records.give_up(session, webhook.id, "the webhook was disabled")
            _disable(cursor_of(session), webhook, reason)


def _disable(cursor: Cursor, webhook: WebhookRow, reason: str) -> None:
    webhook.state, webhook.disabled_reason = "disabled", reason
    webhook.version += 1
    logger.warning("webhook %s (%s) is disabled: %s", webhook.id, records.host_of(webhook), reason)
    since = webhook.failing_since
    told = WebhookDisabled(
        webhook_id=str(webhook.id),
        host=records.host_of(webhook),
        reason=reason,
        failures=webhook.failures,
        failing_since=since.isoformat() if since else None,
    )
    subject = f"webhooks/{webhook.id}"
    record(cursor, [NewEvent(project_id=webhook.project_id, subject=subject, data=told)])


def _reason_to_disable(
    options: Options, webhook: WebhookRow, outcome: Outcome, now: datetime
) -> str | None:
    if outcome.status == _GONE:
        return "the receiver answered 410 Gone"
    since = webhook.failing_since or now
    hours = (now - since).total_seconds() / 3600
    if webhook.failures >= options.disable_failures and hours >= options.disable_hours:
        return f"{webhook.failures} tries in a row failed, over {hours:.0f} hours"
    return None


def _pause(options: Options, attempt: int, outcome: Outcome) -> float | None:
    """Seconds until the next try; None: there is none. A receiver may ask for a longer pause, not
    for a shorter one.
    """
    if outcome.ok or attempt > len(options.retry_seconds):
        return None
    pause = options.retry_seconds[attempt - 1]
    spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, guards no secret
    return max(pause * spread, min(outcome.retry_after or 0.0, max(options.retry_seconds)))


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after[:9].isdecimal() else None


def _in_words(error: Exception) -> str:
    """Without addresses or paths."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate was refused: {error.verify_message}"
    named: dict[type[Exception], str] = {
        ssl.SSLError: "no TLS connection",
        TimeoutError: "no whole answer in time",
        ConnectionRefusedError: "the connection was refused",
        ConnectionError: "the connection broke",
        OSError: "the host was not found or not reached",
    }
    return next((words for kind, words in named.items() if isinstance(error, kind)), "no HTTP")


def options_of(settings: Settings) -> Options:
    """As the settings say."""
    return Options(
        policy=policy_of(settings),
        keys=KeyRing(settings),
        timeout_seconds=settings.webhook_timeout_seconds,
        disable_failures=settings.webhook_disable_failures,
        disable_hours=settings.webhook_disable_hours,
    )
