"""``python -m pushd.testing.simulator_process``: simulated devices that another process controls.

It reads one call a line from standard input, a JSON list such as ``["received", "controlid:7"]``, and writes one JSON
object for each: ``{"answer": ...}`` or ``{"error": "..."}``. At the end of the input it ends.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import define, field, frozen
from hyperlink import DecodedURL
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.stdio import StandardIO
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from pushd.dialects.controlid.wire import read_push
from pushd.dialects.servereye.wire import read_message
from pushd.lib import strict_json
from pushd.simulator.controlid.device import ControlIdDevice
from pushd.simulator.device import SimulatedDevice
from pushd.simulator.faults import Fault
from pushd.simulator.fleet import build_fleet
from pushd.simulator.http import NO_READ_FAULTS, DeviceClient, DeviceClientFactory, ReadFaults
from pushd.simulator.options import FleetOptions, parse_device, parse_models

MAX_LINE = 16 * 1024 * 1024
"""Bytes of a call or an answer."""

PERIOD = 0.05
"""Seconds between two polls: a test has no time for the pauses of a real device."""

RETRY_DELAY = 0.2
COMMAND_DURATION = 0.02

Received = dict[str, Any]


@frozen(kw_only=True)
class RecordingClient(DeviceClient):
    """Notes the answers to polls."""

    note: Callable[[bytes], None]

    async def get(
        self, *path: str, query: Mapping[str, str], timeout: float, faults: ReadFaults = NO_READ_FAULTS
    ) -> bytes:
        body = await super().get(*path, query=query, timeout=timeout, faults=faults)
        if path[-1] != "signoff":
            self.note(body)
        return body


@define(eq=False)
class ControlledDevice:
    """A simulated device, and what a test knows of it."""

    device: SimulatedDevice
    faults: dict[Fault, float]
    """Shared with the device: changes count from now on."""
    received: list[Received]

    @property
    def openings(self) -> int:
        """How often its door was opened."""
        return self.device.api.openings if isinstance(self.device, ControlIdDevice) else 0


@define(eq=False)
class Devices:
    """The simulated devices, by id; each public method is a call."""

    _clients: DeviceClientFactory
    _devices: dict[str, ControlledDevice] = field(factory=dict, init=False)

    def add(self, name: str, server: str, model: str) -> None:
        """Make a device of the server at a URL; it does not poll yet."""
        found = parse_device(name, ":")
        received: list[Received] = []
        faults: dict[Fault, float] = {}
        options = FleetOptions(
            server=DecodedURL.from_text(server),
            controlid=(found.local,) if found.dialect == "controlid" else (),
            servereye=(found.local,) if found.dialect == "servereye" else (),
            models=parse_models(model),
            faults=faults,
            period=PERIOD,
            retry_delay=RETRY_DELAY,
            command_duration=COMMAND_DURATION,
        )
        read = _read_push if found.dialect == "controlid" else _read_message
        create = partial(self._create_client, lambda body: received.extend(read(body)))
        [device] = build_fleet(options, self._clients.reactor, create).devices
        self._devices[name] = ControlledDevice(device, faults, received)

    def misbehave(self, name: str, faults: Mapping[str, float]) -> None:
        """Replace the faults of a device."""
        device = self._devices[name]
        device.faults.clear()
        device.faults.update({Fault(fault): probability for fault, probability in faults.items()})

    def received(self, name: str) -> list[Received]:
        """The payloads that a device has received."""
        return self._devices[name].received

    def openings(self, name: str) -> int:
        """How often the door of a device was opened."""
        return self._devices[name].openings

    def go_offline(self, name: str) -> None:
        """Close the connections of a device."""
        self._devices[name].device.go_offline()

    def come_back(self, name: str) -> None:
        """Have a device poll again."""
        self._devices[name].device.start()

    def sign_off(self, name: str) -> Deferred[None]:
        """Stop a device, with a sign-off if its dialect has one."""
        return self._devices[name].device.stop()

    def remove(self, name: str) -> Deferred[None]:
        """Stop a device for good."""
        return self._devices.pop(name).device.stop()

    def stop(self) -> Deferred[Any]:
        """Stop all devices."""
        return gatherResults([self.remove(name) for name in list(self._devices)])

    def _create_client(self, note: Callable[[bytes], None], root: DecodedURL, source: str | None) -> DeviceClient:
        usual = self._clients.create(root, source)
        return RecordingClient(treq=usual.treq, clock=usual.clock, root=usual.root, pool=usual.pool, note=note)


def _read_push(body: bytes) -> list[Received]:
    push = read_push(body)
    return [] if push is None else [dict(push)]


def _read_message(body: bytes) -> list[Received]:
    message = read_message(body)
    if message is None:
        return []
    return [{"control": message.control, "data": message.data, "message": message.message}]


class Calls(LineOnlyReceiver):
    """Reads calls and writes their answers, one after the other."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE

    def __init__(self, devices: Devices, reactor: Any) -> None:
        self._devices = devices
        self._reactor = reactor

    def lineReceived(self, line: bytes) -> None:
        call, *arguments = strict_json.parse(line.decode())
        done = maybeDeferred(getattr(self._devices, call), *arguments)
        done.addCallbacks(lambda answer: {"answer": answer}, _error)
        done.addCallback(lambda answer: self.sendLine(strict_json.write(answer).encode()))

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002 - the interface has it
        if self._reactor.running:
            self._reactor.stop()


def _error(failure: Failure) -> dict[str, str]:
    return {"error": failure.getErrorMessage()}


def main() -> None:
    """Run until the end of the input."""
    from twisted.internet import reactor

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    StandardIO(Calls(Devices(DeviceClientFactory(reactor)), reactor))
    reactor.run()


if __name__ == "__main__":
    main()
