"""The public keys of an OpenID Connect issuer: discovered, kept, fetched again when they change."""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from app.core.errors import Unavailable

logger = logging.getLogger(__name__)

PublicKey = RSAKey | ECKey | OKPKey
_KINDS: dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {
    "RSA": RSAKey,
    "EC": ECKey,
    "OKP": OKPKey,
}

#: keys are looked up again after this, though every token finds its own
_FRESH_SECONDS = 3_600.0
#: an unknown key makes us ask, but not more often than this: anybody can make up names of keys
_ASK_AGAIN_SECONDS = 30.0
#: after a failure nobody waits for the issuer for so long
_PAUSE_SECONDS = 5.0
_TIMEOUT_SECONDS = 5.0
_LARGEST_DOCUMENT = 1 << 20


class _NoRedirects(HTTPRedirectHandler):
    """The issuer says itself where its keys are; nobody is followed elsewhere."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


_OPENER = build_opener(_NoRedirects)


def fetch_json(url: str) -> dict[str, Any]:
    """The document at an address of the issuer. Raises OSError and ValueError."""
    asked = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - see _check_address
    with _OPENER.open(asked, timeout=_TIMEOUT_SECONDS) as answer:
        text = answer.read(_LARGEST_DOCUMENT + 1)
    if len(text) > _LARGEST_DOCUMENT:
        raise ValueError(f"{url} is larger than {_LARGEST_DOCUMENT} bytes")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError(f"{url} is no JSON object")
    return found


class IssuerKeys:
    """By the names of the keys (`kid`). One thread fetches; the others use what is there."""

    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str | None, PublicKey] | None = None
        self._fetched_at = self._failed_at = float("-inf")
        self._fetching = threading.Lock()

    def find(self, kid: str | None) -> PublicKey | None:
        """None: the issuer publishes no key of this name. A token without a name is of the only key
        that there is. Raises Unavailable when there are no keys, and none can be had.
        """
        now = self._clock()
        known = self._keys
        age = now - self._fetched_at
        if (
            known is None
            or age > _FRESH_SECONDS
            or (_of(known, kid) is None and age > _ASK_AGAIN_SECONDS)
        ):
            self._fetch_once(now, wait=known is None or _of(known, kid) is None)
        if self._keys is None:
            raise Unavailable(
                f"the keys of {self._issuer} cannot be had now", code="issuer_unavailable"
            )
        return _of(self._keys, kid)

    def _fetch_once(self, now: float, *, wait: bool) -> None:
        """What is known stays when the issuer does not answer. `wait`: while another thread asks;
        who has his key already goes on with it.
        """
        if now - self._failed_at < _PAUSE_SECONDS:
            return
        asked_at = self._fetched_at
        if not self._fetching.acquire(blocking=wait):
            return
        try:
            if self._fetched_at != asked_at or self._clock() - self._failed_at < _PAUSE_SECONDS:
                return  # somebody else has just asked
            self._keys = self._fetch()
            self._fetched_at = self._clock()
        except (OSError, ValueError, TypeError, KeyError) as error:
            self._failed_at = self._clock()
            reason = error.reason if isinstance(error, URLError) else error
            logger.warning("the issuer %s gives no keys: %s", self._issuer, reason)
        finally:
            self._fetching.release()

    def _fetch(self) -> dict[str | None, PublicKey]:
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        _check_address(address)
        said = fetch_json(address)
        if said["issuer"] != self._issuer:
            raise ValueError(f"it calls itself {str(said['issuer'])[:200]!r}")
        where = str(said["jwks_uri"])
        _check_address(where)
        entries = [entry for entry in fetch_json(where)["keys"] if _signs(entry)]
        found: dict[str | None, PublicKey] = {}
        for entry in entries:
            try:
                found[entry.get("kid")] = _KINDS[entry["kty"]].import_key(entry)
            except (JoseError, ValueError, TypeError, KeyError) as error:
                logger.warning("a key of %s is of no use: %s", self._issuer, error)
        logger.info("%d keys of %s", len(found), self._issuer)
        return found


def _of(keys: dict[str | None, PublicKey], kid: str | None) -> PublicKey | None:
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid) if kid is not None else None


def _signs(entry: Any) -> bool:
    """A public key for signatures; shared secrets and keys for encryption are not ours to use."""
    return (
        isinstance(entry, dict)
        and entry.get("kty") in _KINDS
        and entry.get("use", "sig") == "sig"
        and not (entry.get("kty") == "OKP" and entry.get("crv") != "Ed25519")
    )


def _check_address(address: str) -> None:
    """HTTPS, or this very machine. Raises ValueError."""
    parts = urlsplit(address)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ValueError(f"{address[:200]!r} is not https")
