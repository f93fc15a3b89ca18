"""How secrets are made and hashed."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import digest as hmac_digest
from secrets import choice, token_urlsafe
from string import ascii_letters, digits
from zlib import crc32

SECRET_BYTES = 24
"""192 random bits."""

TOKEN_PREFIX = "pushd_"
"""What the secret of a token begins with, so that secret scanners find it."""

_BASE62 = digits + ascii_letters
_RANDOM_CHARACTERS = 33
"""Of base 62: 196 random bits."""
_CHECKSUM_CHARACTERS = 6


def make_secret() -> str:
    """A new secret, safe in a path and in a header."""
    return token_urlsafe(SECRET_BYTES)


def make_token_secret() -> str:
    """A new secret of a token: ``pushd_``, random characters, and the CRC-32 of these, all in base 62."""
    random = "".join(choice(_BASE62) for _ in range(_RANDOM_CHARACTERS))
    return f"{TOKEN_PREFIX}{random}{_checksum(random)}"


def _checksum(text: str) -> str:
    """The CRC-32 of a text, so that a scanner can tell a secret from what only looks like one."""
    number, characters = crc32(text.encode("ascii")), ""
    for _ in range(_CHECKSUM_CHARACTERS):
        number, rest = divmod(number, len(_BASE62))
        characters = _BASE62[rest] + characters
    return characters


def csrf_token(secret: str) -> str:
    """What a change must carry that a browser authenticates: it follows from a secret that no page can read."""
    return urlsafe_b64encode(hmac_digest(secret.encode(), b"csrf", "sha256")).decode().rstrip("=")


def digest(secret: str) -> bytes:
    """The hash under which a secret is stored and looked up.

    A secret with so many random bits needs no salt, and a lookup by hash leaks nothing through its timing.
    """
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()
