"""The orders: what the operator sends, made by dice, each with a mark by which it is known wherever it turns up."""

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
_SOON = (0.2, 3.0)
_WORK = (0.0, 1.0)

_DOOR = {"actions": [{"action": "door", "parameters": "door=1"}]}


@frozen(kw_only=True)
class Order:
    """A command before it is sent; ``fails`` is what its device will say of it, should it ever run."""

    mark: str
    device: str
    fails: bool
    parts: tuple[str, ...]
    """What a device that runs it writes down: the order's mark, or for a batch one for each of its commands."""
    draft: Mapping[str, Any]
    """The body of the request."""


@define(eq=False)
class OrderBook:
    """Writes orders; ``now`` gives seconds since the epoch."""

    devices: Sequence[str]
    chance: Random
    now: Callable[[], float]
    _numbers: Iterator[int] = field(factory=lambda: count(1), init=False)

    def next(self) -> Order:
        """One more order."""
        mark, device = f"o{next(self._numbers):05d}", self.chance.choice(self.devices)
        fails = self._is(0.1)
        make = self._transaction if device.startswith(f"{CONTROLID}:") else self._message
        parts, payload = make(mark, fails)
        draft = {"payload": payload, **dict(self._terms())}
        return Order(mark=mark, device=device, fails=fails, parts=parts, draft=draft)

    def _transaction(self, mark: str, fails: bool) -> tuple[tuple[str, ...], dict[str, Any]]:
        if not self._is(0.1):
            return (mark,), _command(mark, fails)
        parts = tuple(f"{mark}.{place}" for place in (1, 2, 3))
        # the last fails: the others ran nevertheless
        return parts, {"transactions": [_command(part, fails and part == parts[-1]) for part in parts]}

    def _message(self, mark: str, fails: bool) -> tuple[tuple[str, ...], dict[str, Any]]:
        data: dict[str, Any] = {"mark": mark, "seconds": round(self.chance.uniform(*_WORK), 3)}
        if fails:
            data["fail"] = "it was to fail"
        return (mark,), {"control": "REMOTE_ACTION", "data": data}

    def _terms(self) -> Iterator[tuple[str, object]]:
        yield "delivery", self.chance.choice(("at_most_once", "at_least_once"))
        yield "ttl", self._seconds(_SHORT_TTL if self._is(0.35) else _LONG_TTL)
        yield "lease", self._seconds(_LEASE)
        yield "priority", self.chance.randrange(10)
        yield "max_attempts", self.chance.choice((2, 3, 5))
        if self._is(0.1):
            yield "deadline", self._seconds(_LEASE)
        if self._is(0.1):
            yield "not_before", to_rfc3339(round((self.now() + self._seconds(_SOON)) * 1000))

    def _seconds(self, bounds: tuple[float, float]) -> float:
        return round(self.chance.uniform(*bounds), 3)

    def _is(self, odds: float) -> bool:
        return self.chance.random() < odds


def _command(part: str, fails: bool) -> dict[str, Any]:
    # its journal keeps the query string of what a device runs; a command needs none, and may have one
    endpoint = "open_sesame" if fails else "execute_actions"
    return {"verb": "POST", "endpoint": endpoint, "body": _DOOR, "queryString": part}
