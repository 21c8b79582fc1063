"""Who made a bundle: an Ed25519 signature (RFC 8032) over its facts, whose digests cover the rest.

signature.json  {"algorithm": "Ed25519", "public_key": base64, "signature": base64}

The key is `RETORT_SIGNING_KEY`; the public keys of others whose bundles may come in are
`RETORT_TRUSTED_SIGNERS`. A signature is the same each time, so equal models stay equal files.
"""

import base64
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from app.core.key_bytes import key_bytes
from app.core.settings import Settings

SIGNATURE = "signature.json"
#: what is signed is a bundle's, and cannot be passed off as anything else
_CONTEXT = b"retort-bundle signature v1\0"


class Signature(BaseModel):
    """As it stands in the archive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: Literal["Ed25519"] = "Ed25519"
    public_key: str = Field(max_length=64)
    signature: str = Field(max_length=128)

    def is_of(self, facts: bytes) -> bool:
        """Whether the owner of `public_key` has signed a bundle with this bundle.json."""
        try:
            key = Ed25519PublicKey.from_public_bytes(key_bytes("public_key", self.public_key))
            key.verify(base64.b64decode(self.signature, validate=True), _CONTEXT + facts)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """This installation."""

    def __init__(self, secret: bytes) -> None:
        """`secret`: the 32 bytes of RFC 8032. Raises ValueError for another length."""
        self._key = Ed25519PrivateKey.from_private_bytes(secret)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """None without a key."""
        text = settings.signing_key
        return cls(key_bytes("RETORT_SIGNING_KEY", text)) if text else None

    @property
    def public_key(self) -> str:
        """Base64; what others trust."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, facts: bytes) -> bytes:
        """signature.json of a bundle with this bundle.json."""
        signature = base64.b64encode(self._key.sign(_CONTEXT + facts)).decode()
        return Signature(public_key=self.public_key, signature=signature).model_dump_json().encode()


@dataclass(frozen=True)
class Trust:
    """Whose bundles are taken: those of `keys`; with none named, anybody's, signed or not."""

    keys: frozenset[str] = frozenset()

    @classmethod
    def only(cls, keys: Collection[str]) -> Self:
        """Raises ValueError for what is no public key."""
        named = (key_bytes("the public key of a signer", key) for key in keys)
        return cls(frozenset(base64.b64encode(key).decode() for key in named))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Of an installation that names signers, its own key too."""
        trust = cls.only(settings.trusted_signers)
        own = Signer.of(settings)
        return cls(trust.keys | {own.public_key}) if trust.keys and own else trust

    def refusal(self, signature: Signature | None) -> str | None:
        """Why a bundle with this (valid) signature is not taken; None: it is."""
        if not self.keys or (signature is not None and signature.public_key in self.keys):
            return None
        if signature is None:
            return "the bundle is not signed, and only those of trusted signers are taken"
        return f"the bundle is signed with the key {signature.public_key}, which is not trusted"


ANYBODY = Trust()
