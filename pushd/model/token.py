"""Tokens: who may use the admin API, and for what."""

from enum import StrEnum

from attrs import frozen


class Role(StrEnum):
    """What a token allows."""

    VIEWER = "viewer"  # may read
    OPERATOR = "operator"  # may also send, cancel, resolve, approve and mute
    ADMIN = "admin"  # may do everything
    DEVICE = "device"  # an API key that authenticates any device


@frozen(kw_only=True)
class Token:
    """A stored token; ``digest`` is the SHA-256 of 192 random bits."""

    id: str
    name: str
    role: Role
    digest: bytes
