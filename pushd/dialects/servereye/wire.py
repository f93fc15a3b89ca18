"""The protocol of the Server-Eye push service on the wire: envelope, messages and results as bytes, and as values.

Every value in the ``data`` of a message is a string: the vendor's C++ client reads each as a string, and stops polling
on any other type; it does the same if a response without a message has a ``data`` key.
"""

import re
from typing import Any

from attrs import field, frozen

from pushd.lib import large_json, strict_json
from pushd.lib.strict_json import UnreadableBody
from pushd.model.command import LargePayload, Payload
from pushd.model.errors import InvalidQuery
from pushd.model.facts import NO_FACTS, Facts
from pushd.model.large_text import LargeText, Text
from pushd.model.lifecycle import Move
from pushd.model.result import RAW_LIMIT, Verdict

_CONTAINER = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_RESERVED = ("push", "result")
"""No containerIds: a Control iD reader whose address ends in ``/push`` appends them to it."""

_NO_REASON = "the device gave no reason"


@frozen(kw_only=True)
class Message:
    """A command as a container receives it; ``control`` names the action, ``data`` and ``message`` are text for it."""

    container: str
    message_id: str
    control: str
    data: str
    message: str


@frozen(kw_only=True)
class ServerEyeResult:
    """A :class:`pushd.model.result.DeviceResult`: the body that a container sent, read."""

    message: str
    uuid: str | None = field(default=None, init=False)
    result: Text | None
    raw: bytes
    size: int
    verdict: Verdict

    def concerns(self, payload: Payload) -> bool:  # noqa: ARG002
        """True: a result names its message, so its command is known."""
        return True

    def judge(self, payload: Payload) -> Verdict:  # noqa: ARG002
        """The container itself says whether the command succeeded, whatever the payload."""
        return self.verdict

    def facts(self, payload: Payload) -> Facts:  # noqa: ARG002
        """None: no command asks for them."""
        return NO_FACTS

    def part(self, position: int) -> None:
        """None: there are no batches."""


def canonical(text: str) -> str:
    """A containerId as ids contain it: unchanged.

    :raises InvalidQuery: if it is empty, too long, or has characters that a path contains only percent-encoded; if it
        is one of the two words that only a wrongly configured Control iD reader sends.
    """
    if text in _RESERVED:
        raise InvalidQuery("containerId must not be push or result.")
    if not _CONTAINER.fullmatch(text):
        raise InvalidQuery("containerId must be 1 to 128 characters of A-Z, a-z, 0-9, '.', '_', '~' and '-'.")
    return text


def _encode(value: object) -> bytes:
    return strict_json.write(value).encode()


def write_answer(success: bool, message: str) -> bytes:
    """A response without a message; it has no ``data`` key."""
    return _encode({"success": success, "message": message})


def write_container(container: str, name: str, heartbeat_timeout: float) -> bytes:
    """The response to a container that asks for its own settings; the timeout, in seconds, is sent in minutes."""
    minutes = round(heartbeat_timeout / 60, 3)
    data = {"id": container, "name": name, "maxHeartbeatTimeout": int(minutes) if minutes.is_integer() else minutes}
    return _encode({"success": True, "message": "container", "data": data})


IDLE = write_answer(False, "no message")
"""The response to an idle poll."""


def write_message(container: str, message_id: str, payload: Payload) -> bytes:
    """The response to a poll with a command."""
    ids = dict.fromkeys(("rootContainerId", "containerId", "senderId"), container) | {"messageId": message_id}
    if type(payload) is LargePayload:
        return b'{"success":true,"data":%b,%b' % (_encode(ids)[:-1], payload.sent.data)
    fields = {"control": payload["control"], "data": _text(payload)}
    return _encode({"success": True, "message": _message_text(payload), "data": ids | fields})


def to_large(payload: Payload) -> LargePayload:
    """A large payload; what is sent of it follows the ids of the container and the message."""
    data = payload.get("data", "")
    if not isinstance(data, str):
        data = strict_json.encode_in_pieces(data).decode()
    fields = strict_json.encode_in_pieces({"control": payload["control"], "data": data})[1:]
    sent = b'%b,"message":%b}' % (fields, strict_json.encode_in_pieces(_message_text(payload)))
    text = LargeText.of(strict_json.encode_in_pieces(payload))
    return LargePayload(text, LargeText.of(sent), endpoints=payload["control"])


def read_message(body: bytes) -> Message | None:
    """Read the response to a poll, as a client does; None if there is no message.

    :raises UnreadableBody: if it is not an envelope, or one that would stop the vendor's clients.
    """
    envelope = _envelope(body)
    return _message(envelope) if envelope["success"] else None


def read_result(body: bytes, message_id: str) -> ServerEyeResult:
    """Read the result of a message, whatever its content type.

    :raises UnreadableBody: unless it is a JSON object with a boolean ``success``.
    """
    text = strict_json.decode(body)
    is_large = len(text) > strict_json.LARGE
    fields = large_json.read_members(text, ("success", "message")) if is_large else strict_json.parse(text)
    envelope = _checked(fields)
    return ServerEyeResult(
        message=message_id,
        result=LargeText.of(text.encode()) if is_large else text,
        raw=body[:RAW_LIMIT],
        size=len(body),
        verdict=_verdict(envelope),
    )


def oversized(size: int, message_id: str) -> ServerEyeResult:
    """The result for a body of ``size`` bytes, which was too large to be kept."""
    verdict = Verdict(move=Move.GARBLE, error=f"the result was too large: {size} bytes")
    return ServerEyeResult(message=message_id, result=None, raw=b"", size=size, verdict=verdict)


def write_result(success: bool, message: str = "", data: object = None) -> bytes:
    """The body with which a container reports a result; without ``data`` if it is None."""
    fields = {} if data is None else {"data": data}
    return _encode({"success": success, "message": message} | fields)


def _text(payload: Payload) -> str:
    data = payload.get("data", "")
    return data if isinstance(data, str) else strict_json.write(data)


def _message_text(payload: Payload) -> object:
    return payload.get("message", "message")


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
    return _checked(strict_json.parse(strict_json.decode(body)))


def _checked(envelope: Any) -> dict[str, Any]:
    if not isinstance(envelope, dict) or not isinstance(envelope.get("success"), bool):
        raise UnreadableBody("The body must be an object with a boolean success.")
    return envelope


def _verdict(envelope: dict[str, Any]) -> Verdict:
    if envelope["success"]:
        return Verdict(move=Move.SUCCEED)
    return Verdict(move=Move.FAIL, error=strict_json.one_line(envelope.get("message") or "") or _NO_REASON)
