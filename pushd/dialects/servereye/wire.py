"""Server-Eye's push service on the wire: the envelope, messages and results; bytes to values and back.

Every value below ``data`` of a message is a string: the vendor's C++ client reads each with a string getter, and ends
its loop on anything else, as it does on a ``data`` key in an answer that brings nothing.
"""

import re
from typing import Any

from attrs import field, frozen

from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody
from pushd.model.command import Payload
from pushd.model.errors import InvalidQuery
from pushd.model.lifecycle import Move
from pushd.model.result import RAW_LIMIT, Verdict

_CONTAINER = re.compile(r"[A-Za-z0-9._~-]{1,128}")

_NO_REASON = "the device gave no reason"


@frozen(kw_only=True)
class Message:
    """What a container receives: a word that tells what is asked, and text to go with it."""

    container: str
    message_id: str
    control: str
    data: str
    message: str


@frozen(kw_only=True)
class ServerEyeResult:
    """A container's result. See :class:`pushd.model.result.DeviceResult`."""

    message: str
    uuid: str | None = field(default=None, init=False)
    result: str | None
    raw: bytes
    size: int
    verdict: Verdict

    def concerns(self, payload: Payload) -> bool:  # noqa: ARG002
        """Always: a result names its message, so there is nothing to compare."""
        return True

    def judge(self, payload: Payload) -> Verdict:  # noqa: ARG002
        """The container says itself whether it succeeded, whatever it was asked."""
        return self.verdict

    def part(self, position: int) -> None:
        """None: each message travels alone."""


def canonical(text: str) -> str:
    """A containerId as it is written in ids: as given.

    :raises InvalidQuery: if it is empty, too long, or has other characters than a path may show bare.
    """
    if not _CONTAINER.fullmatch(text):
        raise InvalidQuery("A containerId is 1 to 128 of A-Z, a-z, 0-9, '.', '_', '~' and '-'.")
    return text


def _encode(value: object) -> bytes:
    return strict_json.write(value).encode()


def write_answer(success: bool, message: str) -> bytes:
    """The envelope of every answer that brings no message; it has no ``data`` key."""
    return _encode({"success": success, "message": message})


IDLE = write_answer(False, "no message")
"""The answer to a poll when there is nothing to do."""


def write_message(container: str, message_id: str, payload: Payload) -> bytes:
    """The answer to a poll that brings a command."""
    ids = dict.fromkeys(("rootContainerId", "containerId", "senderId"), container)
    told = {"messageId": message_id, "control": payload["control"], "data": _text(payload)}
    return _encode({"success": True, "message": payload.get("message", "message"), "data": ids | told})


def read_message(body: bytes) -> Message | None:
    """What a client reads in the answer to its poll; None if it brings nothing.

    :raises UnreadableBody: if it is no envelope, or one that would end the vendor's clients.
    """
    envelope = _envelope(body)
    return _message(envelope) if envelope["success"] else None


def read_result(body: bytes, message_id: str) -> ServerEyeResult:
    """What a container posts about a message, whatever content type it claims.

    :raises UnreadableBody: unless it is a JSON object with a boolean ``success``.
    """
    envelope = _envelope(body)
    return ServerEyeResult(
        message=message_id,
        result=strict_json.decode(body),
        raw=body[:RAW_LIMIT],
        size=len(body),
        verdict=_verdict(envelope),
    )


def oversized(size: int, message_id: str) -> ServerEyeResult:
    """A result of ``size`` bytes that was too large to be kept."""
    verdict = Verdict(move=Move.GARBLE, error=f"the result was too large: {size} bytes")
    return ServerEyeResult(message=message_id, result=None, raw=b"", size=size, verdict=verdict)


def write_result(success: bool, message: str = "", data: object = None) -> bytes:
    """The body in which a container reports; without ``data`` if there is none."""
    told = {} if data is None else {"data": data}
    return _encode({"success": success, "message": message} | told)


def _text(payload: Payload) -> str:
    data = payload.get("data", "")
    return data if isinstance(data, str) else strict_json.write(data)


def _message(envelope: dict[str, Any]) -> Message:
    data = envelope.get("data")
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise UnreadableBody("The data of a message must be an object of strings.")
    if missing := {"containerId", "messageId", "control", "data"} - data.keys():
        raise UnreadableBody(f"The message lacks {', '.join(sorted(missing))}.")
    return Message(
        container=data["containerId"],
        message_id=data["messageId"],
        control=data["control"],
        data=data["data"],
        message=str(envelope.get("message", "")),
    )


def _envelope(body: bytes) -> dict[str, Any]:
    envelope = strict_json.parse(strict_json.decode(body))
    if not isinstance(envelope, dict) or not isinstance(envelope.get("success"), bool):
        raise UnreadableBody("The body must be an object with a boolean success.")
    return envelope


def _verdict(envelope: dict[str, Any]) -> Verdict:
    if envelope["success"]:
        return Verdict(move=Move.SUCCEED)
    return Verdict(move=Move.FAIL, error=strict_json.one_line(envelope.get("message") or "") or _NO_REASON)
