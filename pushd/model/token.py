"""Tokens: who may use the admin port, and for what."""

from enum import StrEnum

from attrs import frozen


class Role(StrEnum):
    """What a token is good for."""

    VIEWER = "viewer"  # reads
    OPERATOR = "operator"  # sends, cancels, resolves, approves, mutes
    ADMIN = "admin"  # all
    DEVICE = "device"  # an API key that proves many devices


@frozen(kw_only=True)
class Token:
    """A token as it is stored: the SHA-256 of 192 random bits."""

    id: str
    name: str
    role: Role
    digest: bytes
