"""Blob storage: one port, several adapters; the settings choose."""

from app.core.settings import Settings
from app.storage.base import Storage
from app.storage.local import LocalStorage
from app.storage.s3 import S3Storage

__all__ = ["Storage", "build_storage"]


def build_storage(settings: Settings) -> Storage:
    """S3 when a bucket is named, else the local folder."""
    return S3Storage(settings) if settings.s3_bucket else LocalStorage(settings.storage_root)
