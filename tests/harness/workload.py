"""The workload: random commands, each with a key by which it is recognized in journals, in the API and on devices."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from random import Random
from typing import Any

from attrs import define, field, frozen

from pushd.model.timestamps import to_rfc3339
from pushd.simulator.controlid.device import DIALECT as CONTROLID

_SHORT_TTL = (0.3, 4.0)
_LONG_TTL = (60.0, 300.0)
_LEASE = (2.0, 5.0)
SHORT_LEASE = 1.0
_NOT_BEFORE = (0.2, 3.0)
_DURATION = (0.0, 1.0)

_DOOR = {"actions": [{"action": "door", "parameters": "door=1"}]}


@frozen(kw_only=True)
class CommandRequest:
    """A command to send; ``fails`` is whether its device will report a failure, should it run."""

    key: str
    """The idempotency key."""
    device: str
    fails: bool
    parts: tuple[str, ...]
    """The names under which a device records that it ran: the key, or for a batch one name for each transaction."""
    body: Mapping[str, Any]
    """The body of the HTTP request."""


@define(eq=False)
class Workload:
    """Makes random commands; ``now`` returns seconds since the epoch."""

    devices: Sequence[str]
    chance: Random
    now: Callable[[], float]
    _numbers: Iterator[int] = field(factory=lambda: count(1), init=False)

    def next(self) -> CommandRequest:
        """Make another command."""
        key, device = f"c{next(self._numbers):05d}", self.chance.choice(self.devices)
        fails = self._is(0.1)
        make = self._transaction if device.startswith(f"{CONTROLID}:") else self._message
        parts, payload = make(key, fails)
        body = {"payload": payload, **dict(self._send_options())}
        return CommandRequest(key=key, device=device, fails=fails, parts=parts, body=body)

    def brief(self, device: str) -> CommandRequest:
        """Make a command to a Control iD device with a short lease, which may be sent again."""
        key = f"c{next(self._numbers):05d}"
        body = {"payload": _controlid_command(key, False), "delivery": "at_least_once", "lease": SHORT_LEASE}
        return CommandRequest(key=key, device=device, fails=False, parts=(key,), body=body)

    def _transaction(self, key: str, fails: bool) -> tuple[tuple[str, ...], dict[str, Any]]:
        if not self._is(0.1):
            return (key,), _controlid_command(key, fails)
        parts = tuple(f"{key}.{number}" for number in (1, 2, 3))
        # only the last fails: the others run all the same
        return parts, {"transactions": [_controlid_command(part, fails and part == parts[-1]) for part in parts]}

    def _message(self, key: str, fails: bool) -> tuple[tuple[str, ...], dict[str, Any]]:
        data: dict[str, Any] = {"key": key, "seconds": round(self.chance.uniform(*_DURATION), 3)}
        if fails:
            data["fail"] = "failure requested"
        return (key,), {"control": "REMOTE_ACTION", "message": "crash|run|{}", "data": data}

    def _send_options(self) -> Iterator[tuple[str, object]]:
        yield "delivery", self.chance.choice(("at_most_once", "at_least_once"))
        yield "ttl", self._seconds(_SHORT_TTL if self._is(0.35) else _LONG_TTL)
        yield "lease", self._seconds(_LEASE)
        yield "priority", self.chance.randrange(10)
        yield "max_attempts", self.chance.choice((2, 3, 5))
        if self._is(0.1):
            yield "deadline", self._seconds(_LEASE)
        if self._is(0.1):
            yield "not_before", to_rfc3339(round((self.now() + self._seconds(_NOT_BEFORE)) * 1000))

    def _seconds(self, bounds: tuple[float, float]) -> float:
        return round(self.chance.uniform(*bounds), 3)

    def _is(self, probability: float) -> bool:
        return self.chance.random() < probability


def _controlid_command(part: str, fails: bool) -> dict[str, Any]:
    # a simulated device records the query string of what it runs; this action ignores it
    endpoint = "open_sesame" if fails else "execute_actions"
    return {"verb": "POST", "endpoint": endpoint, "body": _DOOR, "queryString": part}
