"""The storage keys of the settings."""

from app.core.key_bytes import key_bytes
from app.core.settings import Settings
from app.storage.sealing import StorageKey


def keys_of(settings: Settings) -> tuple[StorageKey | None, tuple[StorageKey, ...]]:
    """(the key that blobs are sealed with, those that older ones may be sealed with).

    Raises ValueError, without a word of the key, for one that is not 32 bytes in base64.
    """
    current = _parsed("RETORT_STORAGE_KEY", settings.storage_key)
    old = [
        _parsed("RETORT_STORAGE_OLD_KEYS", text.strip())
        for text in settings.storage_old_keys.replace("\n", ",").split(",")
    ]
    return current, tuple(key for key in old if key is not None)


def _parsed(variable: str, text: str) -> StorageKey | None:
    return StorageKey(secret=key_bytes(variable, text)) if text else None
