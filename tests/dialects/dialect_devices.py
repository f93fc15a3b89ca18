"""One device of each dialect, for tests that both dialects must pass."""

from typing import Any

from attrs import frozen

from tests.connection import request


@frozen(kw_only=True)
class DialectDevice:
    """A device: the requests that it sends, and the responses that it expects."""

    id: str
    payload: dict[str, Any]
    hold: float
    """How long its poll is held by default, in seconds."""
    idle: bytes
    """The body of the response to an idle poll."""
    refusal: tuple[int, bytes]
    """The response if it is refused: the status code, and a part of the body."""
    poll_path: str
    result_path: str
    success: bytes
    """The body of a successful result."""

    def poll(self, before: str = "", *headers: str) -> bytes:
        """A poll; ``before`` is a prefix of its path."""
        return request(f"GET {before}{self.poll_path}", b"", *headers)

    def result(self, command: str, body: bytes | None = None, before: str = "", *headers: str) -> bytes:
        """The result of a command, successful unless ``body`` is given."""
        path = before + self.result_path.format(command=command)
        return request(f"POST {path}", self.success if body is None else body, *headers)

    def padded(self, size: int) -> bytes:
        """The body of a successful result, padded to ``size`` bytes."""
        return self.success + b" " * (size - len(self.success))


READER = DialectDevice(
    id="controlid:7",
    payload={"endpoint": "load_objects"},
    hold=10.0,
    idle=b"",
    refusal=(200, b""),
    poll_path="/push?deviceId=7&uuid=a",
    result_path="/result?deviceId=7&uuid=a",
    success=b'{"response":{}}',
)

CONTAINER = DialectDevice(
    id="servereye:c-1",
    payload={"control": "REFRESH_AGENT"},
    hold=45.0,
    idle=b'{"success":false,"message":"no message"}',
    refusal=(403, b'"success":false'),
    poll_path="/push/c-1",
    result_path="/push/c-1/result/{command}",
    success=b'{"success":true}',
)

DIALECT_DEVICES = (READER, CONTAINER)
