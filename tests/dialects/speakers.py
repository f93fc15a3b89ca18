"""One device of each dialect, for what both have in common."""

from typing import Any

from attrs import frozen

from tests.connection import request


@frozen(kw_only=True)
class Speaker:
    """What a device says, and what it understands."""

    device: str
    payload: dict[str, Any]
    hold: float
    """Seconds for which its poll is held."""
    idle: bytes
    """The body that brings nothing."""
    refusal: tuple[int, bytes]
    """How it is refused: a code, and a part of the body."""
    poll_path: str
    result_path: str
    success: bytes
    """The body of a result."""

    def poll(self, before: str = "", *headers: str) -> bytes:
        """A poll, with this in front of its path."""
        return request(f"GET {before}{self.poll_path}", b"", *headers)

    def result(self, command: str, body: bytes | None = None, before: str = "", *headers: str) -> bytes:
        """A result of this command."""
        path = before + self.result_path.format(command=command)
        return request(f"POST {path}", self.success if body is None else body, *headers)

    def padded(self, size: int) -> bytes:
        """The body of a result of so many bytes."""
        return self.success + b" " * (size - len(self.success))


READER = Speaker(
    device="controlid:7",
    payload={"endpoint": "load_objects"},
    hold=10.0,
    idle=b"",
    refusal=(200, b""),
    poll_path="/push?deviceId=7&uuid=a",
    result_path="/result?deviceId=7&uuid=a",
    success=b'{"response":{}}',
)

CONTAINER = Speaker(
    device="servereye:c-1",
    payload={"control": "REFRESH_AGENT"},
    hold=45.0,
    idle=b'{"success":false,"message":"no message"}',
    refusal=(403, b'"success":false'),
    poll_path="/push/c-1",
    result_path="/push/c-1/result/{command}",
    success=b'{"success":true}',
)

SPEAKERS = (READER, CONTAINER)
