"""The photos of the users of a simulated Control iD device."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from typing import Any

from attrs import define, field

from pushd.simulator.controlid.query import LocalApiError

_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n")
"""With what the data of a JPEG or a PNG begins."""


@define(eq=False)
class Photos:
    """The photos by user."""

    images: dict[int, bytes] = field(factory=dict, init=False)
    _timestamps: dict[int, int] = field(factory=dict, init=False)

    def store(self, user: int, data: bytes, timestamp: int) -> dict[str, Any]:
        """Store a photo; a device refuses what it cannot read within a response, not with an error."""
        if not data.startswith(_STARTS):
            errors = [{"code": 2, "message": "Face not detected"}]
            return {"user_id": user, "success": False, "errors": errors}
        self.images[user] = data
        self._timestamps[user] = timestamp
        return {"user_id": user, "size": len(data), "success": True}

    def get(self, user: int) -> str:
        """A photo, in base64."""
        if user not in self.images:
            raise LocalApiError(f"the user {user} has no photo")
        return b64encode(self.images[user]).decode("ascii")

    def remove(self, users: Iterable[int]) -> None:
        """Remove photos; users without one are ignored."""
        for user in users:
            self.images.pop(user, None)
            self._timestamps.pop(user, None)

    def list(self, *, with_timestamps: bool) -> dict[str, Any]:
        """The users who have a photo."""
        if not with_timestamps:
            return {"user_ids": sorted(self.images)}
        return {"image_info": [{"user_id": user, "timestamp": self._timestamps[user]} for user in sorted(self.images)]}


def decode(body: object) -> bytes:
    """The bytes that a body has in base64.

    :raises LocalApiError: if it has none.
    """
    if not isinstance(body, str):
        raise LocalApiError("the body must be one base64 string")
    try:
        return b64decode(body, validate=True)
    except (NotBase64, ValueError):
        raise LocalApiError("the body is not base64") from None
