"""Sealed blobs: authenticated encryption in chunks, so that a blob of any size streams.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and
its Nonce-Reuse Misuse-Resistance, CRYPTO 2015), laid out as in the payload of age
(age-encryption.org/v1) and Tink's AES-GCM-HKDF streaming AEAD:

    magic 8 | key id 8 | salt 32 | chunk | chunk | ... | last chunk

A chunk is at most 64 KiB of plain text and a tag of 16 bytes, by AES-256-GCM under a key of the
blob's own: HKDF-SHA256 of the storage key, with the salt, bound to the header and to the blob's
name. The nonce is the chunk's number (11 bytes) and whether it is the last (1 byte): chunks that
are changed, moved, left out or cut off do not open, nor does a blob under another's name.
"""

import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import InternalError

MAGIC = b"RETORT\x00\x01"
CHUNK = 64 * 1024
_ID, _SALT, _TAG, _KEY = 8, 32, 16, 32
HEADER = len(MAGIC) + _ID + _SALT
_SEALED_CHUNK = CHUNK + _TAG


class DamagedBlob(InternalError):
    """A blob is not what was written, or its key is not among ours."""


@dataclass(frozen=True, kw_only=True)
class StorageKey:
    """256 bits, known in blobs by the first bytes of its hash."""

    #: never printed
    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) != _KEY:
            raise ValueError(f"a storage key is {_KEY} bytes, in base64; this has another length")

    def __repr__(self) -> str:
        return f"StorageKey({self.id.hex()})"

    @property
    def id(self) -> bytes:
        return hashlib.sha256(b"retort storage key id\x00" + self.secret).digest()[:_ID]

    def cipher(self, header: bytes, name: str) -> AESGCM:
        """Of one blob."""
        derived = HKDF(SHA256(), _KEY, header[-_SALT:], header[:-_SALT] + name.encode())
        return AESGCM(derived.derive(self.secret))


def key_id(beginning: bytes) -> bytes | None:
    """Which key a blob that begins so was sealed with; None: it is plain."""
    sealed = len(beginning) >= HEADER and beginning.startswith(MAGIC)
    return beginning[len(MAGIC) : len(MAGIC) + _ID] if sealed else None


def plain_size(sealed_size: int) -> int:
    """Bytes of plain text in a sealed blob of this size."""
    body = sealed_size - HEADER
    chunks = max(1, -(-body // _SEALED_CHUNK))
    return body - chunks * _TAG


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class SealingWriter(io.RawIOBase):
    """What is written to it goes sealed to `target`; `finish` writes the last chunk."""

    def __init__(self, target: BinaryIO, key: StorageKey, name: str) -> None:
        self._target = target
        header = MAGIC + key.id + os.urandom(_SALT)
        self._cipher = key.cipher(header, name)
        self._buffer = bytearray()
        self._number = 0
        self._written = 0
        target.write(header)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: object, /) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type] # whatever has bytes
        for start in range(0, len(view), CHUNK):
            self._buffer += view[start : start + CHUNK]
            # one chunk is kept back: only at the end it is known which is the last
            while len(self._buffer) > CHUNK:
                self._seal(bytes(self._buffer[:CHUNK]), last=False)
                del self._buffer[:CHUNK]
        self._written += len(view)
        return len(view)

    def finish(self) -> None:
        self._seal(bytes(self._buffer), last=True)
        self._buffer.clear()

    def _seal(self, plain: bytes, *, last: bool) -> None:
        nonce = _nonce(self._number, last=last)
        self._target.write(self._cipher.encrypt(nonce, plain, None))
        self._number += 1


class OpeningReader(io.RawIOBase):
    """The plain text of a sealed stream, from any position; raises DamagedBlob."""

    def __init__(self, source: BinaryIO, keys: Mapping[bytes, StorageKey], name: str) -> None:
        """Looks at the end at once, so that a blob which was cut off is never begun."""
        super().__init__()
        self._source = source
        self._name = name
        header = source.read(HEADER)
        found = key_id(header)
        if found is None or found not in keys:
            self._refuse(f"is sealed with a key that is not here ({(found or b'').hex()})")
        self._cipher = keys[found].cipher(header, name)
        body = source.seek(0, io.SEEK_END) - HEADER
        self._chunks = max(1, -(-body // _SEALED_CHUNK))
        self._size = body - self._chunks * _TAG
        self._position = 0
        self._number, self._plain = -1, b""
        self._load(self._chunks - 1)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a position before the beginning")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type] # whatever has bytes
        if self._position >= self._size:
            return 0
        number, offset = divmod(self._position, CHUNK)
        if number != self._number:
            self._load(number)
        part = self._plain[offset : offset + len(view)]
        view[: len(part)] = part
        self._position += len(part)
        return len(part)

    def close(self) -> None:
        self._source.close()
        super().close()

    def _load(self, number: int) -> None:
        self._source.seek(HEADER + number * _SEALED_CHUNK)
        sealed = self._source.read(_SEALED_CHUNK)
        try:
            nonce = _nonce(number, last=number == self._chunks - 1)
            self._plain = self._cipher.decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError):
            self._refuse("was changed or cut off since it was written")
        self._number = number

    def _refuse(self, reason: str) -> NoReturn:
        self._source.close()
        raise DamagedBlob(
            f"the blob {self._name} {reason}",
            remedy="Restore it from a backup, or give its key in RETORT_STORAGE_OLD_KEYS.",
        )
