"""Blobs in an S3 bucket, through boto3: for clusters whose machines share no disk."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from app.core.errors import ContentMissing, Retryable
from app.core.settings import Settings
from app.storage.bounded_folder import trim
from app.storage.local import check_key

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
#: of an object of no bytes no range can be had
_EMPTY = "InvalidRange"


class S3Storage:
    """S3 makes an object visible as a whole, so writes are atomic; large ones are multipart.

    `local_path` downloads once into a bounded folder: blobs never change.
    """

    def __init__(self, settings: Settings, *, cache_folder: Path | None = None) -> None:
        self._bucket = settings.s3_bucket
        self._settings = settings
        name = hashlib.sha256(f"{settings.s3_endpoint}/{self._bucket}".encode()).hexdigest()[:12]
        self._cache = cache_folder or Path(tempfile.gettempdir()) / f"retort-s3-{name}"
        self._client: Any = None

    @property
    def client(self) -> Any:
        if self._client is None:
            import boto3
            from botocore.config import Config

            self._client = boto3.client(
                "s3",
                endpoint_url=self._settings.s3_endpoint or None,
                aws_access_key_id=self._settings.s3_key or None,
                aws_secret_access_key=self._settings.s3_secret or None,
                verify=self._settings.s3_ca_file or None,
                config=Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 3}),
            )
        return self._client

    @property
    def _encryption(self) -> dict[str, str]:
        """Server-side encryption of what is written, when the settings ask for it."""
        if not self._settings.s3_sse:
            return {}
        key_id = self._settings.s3_sse_key_id
        named = {"SSEKMSKeyId": key_id} if key_id else {}
        return {"ServerSideEncryption": self._settings.s3_sse, **named}

    def write(self, key: str, data: bytes) -> None:
        with self._translated(key):
            self.client.put_object(
                Bucket=self._bucket, Key=check_key(key), Body=data, **self._encryption
            )
        self._forget(key)

    def write_file(self, key: str, path: Path) -> None:
        with self._translated(key):
            self.client.upload_file(
                str(path), self._bucket, check_key(key), ExtraArgs=self._encryption
            )
        self._forget(key)

    @contextmanager
    def writer(self, key: str) -> Iterator[BinaryIO]:
        check_key(key)
        with tempfile.TemporaryFile() as stream:
            yield cast("BinaryIO", stream)
            stream.seek(0)
            with self._translated(key):
                self.client.upload_fileobj(stream, self._bucket, key, ExtraArgs=self._encryption)
        self._forget(key)

    def read(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

    def open(self, key: str) -> BinaryIO:
        return self.local_path(key).open("rb")

    def beginning(self, key: str, length: int) -> bytes:
        from botocore.exceptions import ClientError

        kept = self._cache / check_key(key)
        if kept.is_file():
            with kept.open("rb") as stream:
                return stream.read(length)
        with self._translated(key):
            try:
                answer = self.client.get_object(
                    Bucket=self._bucket, Key=key, Range=f"bytes=0-{length - 1}"
                )
            except ClientError as error:
                if error.response["Error"]["Code"] == _EMPTY:
                    return b""
                raise
            found: bytes = answer["Body"].read()
            return found

    def local_path(self, key: str) -> Path:
        path = self._cache / check_key(key)
        if path.is_file():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            temporary = Path(stream.name)
        try:
            with self._translated(key):
                self.client.download_file(self._bucket, key, str(temporary))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        trim(self._cache, path)
        return path

    def exists(self, key: str) -> bool:
        try:
            self._head(key)
        except ContentMissing:
            return False
        return True

    def size(self, key: str) -> int:
        return int(self._head(key)["ContentLength"])

    def modified(self, key: str) -> float:
        written: datetime = self._head(key)["LastModified"]
        return written.timestamp()

    def list(self, prefix: str) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2")
        with self._translated(prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield entry["Key"]

    def delete(self, prefix: str) -> int:
        keys = list(self.list(prefix))
        for key in keys:
            with self._translated(key):
                self.client.delete_object(Bucket=self._bucket, Key=key)
            (self._cache / key).unlink(missing_ok=True)
        return len(keys)

    def _head(self, key: str) -> Any:
        with self._translated(key):
            return self.client.head_object(Bucket=self._bucket, Key=check_key(key))

    def _forget(self, key: str) -> None:
        """A blob that was sealed anew is another object under its old name."""
        (self._cache / key).unlink(missing_ok=True)

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise ContentMissing.of(key) from error
            code = error.response["Error"]["Code"]
            raise Retryable(f"the blob store refuses: {code}") from error
        except (BotoCoreError, OSError) as error:
            raise Retryable("the blob store does not answer") from error
