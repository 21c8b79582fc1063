"""Keys of 256 bits, as settings hold them."""

import base64
import binascii

KEY_BYTES = 32


def key_bytes(name: str, text: str) -> bytes:
    """Raises ValueError, without a word of the key, for what is not 32 bytes in base64."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != KEY_BYTES:
        raise ValueError(
            f"{name} is not {KEY_BYTES} bytes in base64: make one with `openssl rand -base64 32`"
        )
    return data
