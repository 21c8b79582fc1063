"""Blob storage: one port, several adapters; the settings choose."""

from app.core.settings import Settings
from app.storage.base import Storage
from app.storage.encrypted import EncryptedStorage
from app.storage.keyring import keys_of
from app.storage.local import LocalStorage
from app.storage.s3 import S3Storage

__all__ = ["EncryptedStorage", "Storage", "build_storage", "sealed"]


def build_storage(settings: Settings) -> Storage:
    """S3 when a bucket is named, else the local folder; sealed when there is a key."""
    plain = S3Storage(settings) if settings.s3_bucket else LocalStorage(settings.storage_root)
    return sealed(plain, settings)


def sealed(storage: Storage, settings: Settings) -> Storage:
    """The store behind the settings' keys; the store itself where they name none."""
    current, old = keys_of(settings)
    if current is None and not old:
        return storage
    return EncryptedStorage(
        storage,
        current,
        old,
        plain_folder=settings.storage_plain_folder,
        refuse_plain=settings.storage_refuse_plain,
    )
