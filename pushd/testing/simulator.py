"""Simulated devices, which a test controls."""

import json
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any, Unpack

from attrs import define, field, frozen

from pushd.client import DeviceFields, NotFound
from pushd.simulator.faults import Fault
from pushd.testing.processes import failure, start, stop
from pushd.testing.server import PushdServer

CONTROLID = "controlid"
SERVEREYE = "servereye"
MODEL = "iDAccess"

CONNECT_TIMEOUT = 30.0
"""Seconds that a device may take to poll on a busy machine; it usually takes a tenth of one."""

_POLL_INTERVAL = 0.01
_FIRST_READER = 4408801109440101
_numbers = count()


@define(eq=False)
class Simulator:
    """The process of the simulated devices."""

    log: Path
    _process: "subprocess.Popen[str]" = field(init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def launch(self) -> None:
        """Start the process, and do not wait for it."""
        self._process = start("simulator_process", self.log, answers=True)

    def call(self, name: str, *arguments: object) -> Any:
        """Make a call of the process: see ``pushd.testing.simulator_process``.

        :raises ValueError: if an argument is not valid.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise failure("the simulator has ended:", self.log)
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["answer"]

    def close(self) -> None:
        """End the process."""
        stop(self._process)


@frozen(kw_only=True)
class SimulatedDevice:
    """A simulated device that is connected to the server, and does what it is sent as a real one does."""

    id: str
    """As in the API: ``controlid:4408801109440101``."""
    _server: PushdServer
    _simulator: Simulator

    @property
    def received(self) -> tuple[Mapping[str, Any], ...]:
        """The payloads that it has received, oldest first; of a container ``control``, ``data`` and ``message``."""
        return tuple(self._simulator.call("received", self.id))

    @property
    def openings(self) -> int:
        """How often its door was opened, or its turnstile released."""
        return int(self._simulator.call("openings", self.id))

    def misbehave(self, *faults: Fault, probability: float = 1.0) -> None:
        """From now on have these faults, each time or with a probability, and no others; without any: none."""
        self._simulator.call("misbehave", self.id, dict.fromkeys(faults, probability))

    def go_offline(self) -> None:
        """Close all connections at once, and do not poll any more."""
        self._simulator.call("go_offline", self.id)
        self._wait_until(polling=False)

    def sign_off(self) -> None:
        """Announce a shutdown (a Server-Eye container), and do not poll any more."""
        self._simulator.call("sign_off", self.id)
        self._wait_until(polling=False)

    def come_back(self) -> None:
        """Poll again."""
        self._simulator.call("come_back", self.id)
        self.wait_until_connected()

    def wait_until_connected(self) -> None:
        """Wait until the server holds a poll of the device, as after a restart of the server."""
        self._wait_until(polling=True)

    def _wait_until(self, *, polling: bool) -> None:
        deadline = monotonic() + CONNECT_TIMEOUT
        while self._is_polling() is not polling:
            if monotonic() > deadline:
                state = "polls" if polling else "stops polling"
                raise TimeoutError(f"the server does not notice that {self.id} {state}; see {self._simulator.log}")
            sleep(_POLL_INTERVAL)

    def _is_polling(self) -> bool:
        try:
            return self._server.client.device(self.id).polling
        except NotFound:  # it was not registered, and has not polled yet
            return False


@define(eq=False)
class Simulate:
    """Simulates devices of one test."""

    _server: PushdServer
    _simulator: Simulator
    _devices: list[SimulatedDevice] = field(factory=list, init=False)

    def __call__(
        self,
        dialect: str = CONTROLID,
        *,
        device: str | None = None,
        model: str = MODEL,
        register: bool = True,
        **fields: Unpack[DeviceFields],
    ) -> SimulatedDevice:
        """Simulate a device, which is connected when this returns.

        ``device`` is its id (``controlid:7``), a new one if it is None; ``model`` is that of a Control iD device.
        ``fields`` are set when it is registered, as in :meth:`pushd.client.client.Client.register`; without
        ``register`` the device appears as unknown ones do, and waits for approval.
        """
        name = _new_id(dialect) if device is None else device
        self._simulator.call("add", name, self._server.device_url, model)
        simulated = SimulatedDevice(id=name, server=self._server, simulator=self._simulator)
        self._devices.append(simulated)
        if register:
            if name.startswith(CONTROLID):
                fields.setdefault("facts", {"model": model})
            self._server.client.register(name, **fields)
        simulated.come_back()
        return simulated

    def close(self) -> None:
        """Stop and delete all devices."""
        for device in self._devices:
            self._simulator.call("remove", device.id)
            with suppress(NotFound):  # the test has deleted it
                self._server.client.delete(device.id)


def _new_id(dialect: str) -> str:
    number = next(_numbers)
    return f"{CONTROLID}:{_FIRST_READER + number}" if dialect == CONTROLID else f"{dialect}:simulated-{number}"
