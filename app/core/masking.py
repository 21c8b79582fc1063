"""Secrets out of what is written down: logs of processes, and of jobs, that people read."""

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urlsplit

from app.core.settings import Settings

MASK = "***"

#: an API key, whole, as it is or as an address encodes it
_OUR_KEY = re.compile(r"(?i)(rt(?:_|%5F)[0-9a-f]{8}(?:_|%5F))[A-Za-z0-9_-]{43}")

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # our API keys: the prefix names the row, the secret opens the door
    (
        re.compile(r"\b(rt(?:_|%5[Ff])[0-9A-Za-z]{1,16}(?:_|%5[Ff]))[A-Za-z0-9_-]{8,}"),
        rf"\g<1>{MASK}",
    ),
    # secrets of webhooks
    (re.compile(r"\b(whsec_)[A-Za-z0-9+/=_-]{8,}"), rf"\g<1>{MASK}"),
    # user:password@ in a URL, up to the last @ before its path
    (re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@]*:)[^\s/]+(?=@)"), rf"\g<1>{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{6,}"), rf"\g<1>\g<2>{MASK}"),
    (
        re.compile(
            r"(?i)((?:password|passwd|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key|"
            r"auth[_-]?token|access[_-]?token)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&)}\]]+"
        ),
        rf"\g<1>{MASK}",
    ),
    (re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
)
#: shorter ones would blacken ordinary words
_MIN_LENGTH = 4


def mask_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without API keys, passwords in URLs, bearer tokens, `password=...`, and `secrets`."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def holds_key(text: str) -> bool:
    """Whether an API key of ours stands in it."""
    return "rt" in text and _OUR_KEY.search(text) is not None


def mask_keys(text: str) -> str:
    """`text` without API keys of ours; nothing else is touched."""
    return _OUR_KEY.sub(rf"\g<1>{MASK}", text)


def masker(settings: Settings) -> Callable[[str], str]:
    """`mask_secrets` that also knows the values of this process's secret settings."""
    secrets = secret_values(settings)
    return lambda text: mask_secrets(text, secrets)


def secret_values(settings: Settings) -> tuple[str, ...]:
    """Of every setting that is never printed (`repr=False`); of a URL its password. Longest first,
    so that one that holds another is masked as a whole.
    """
    found: set[str] = set()
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if field.repr or not isinstance(value, str) or not value:
            continue
        if "://" in value:
            password = urlsplit(value).password or ""
            found |= {password, unquote(password)}
        else:
            found |= {value, *value.split(",")}
    return tuple(sorted((s for s in found if len(s) >= _MIN_LENGTH), key=len, reverse=True))
