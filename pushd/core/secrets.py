"""Secrets: 192 random bits, shown once, kept as their SHA-256."""

from hashlib import sha256
from secrets import token_urlsafe

SECRET_BYTES = 24


def make_secret() -> str:
    """A new secret, safe in a path and a header."""
    return token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """What is stored of a secret, and looked up by: so random a secret needs no salt, and a lookup by hash leaks
    nothing.
    """
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()
