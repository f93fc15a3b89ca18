"""``twistd pushd-simulate``: the command line of the simulator."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeVar, cast

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime
from twisted.python import usage

from pushd.process import install_signal_handlers
from pushd.simulator import arguments
from pushd.simulator.arguments import DeviceId
from pushd.simulator.casting import check_moods, programme
from pushd.simulator.faults import DEFAULT_ODDS, Fault, read_odds
from pushd.simulator.names import controlid_ids, servereye_ids
from pushd.simulator.options import Plan, check_sites
from pushd.simulator.scenarios import read_mood
from pushd.simulator.workshop import assemble

_Value = TypeVar("_Value")


class Options(usage.Options):
    """What may be said on the command line; ``plan`` is what was meant."""

    synopsis = "[options]"
    longdesc = "Simulates devices that phone home, Control iD readers and Server-Eye containers, against any server."
    plan: Plan

    optParameters = [  # noqa: N815, RUF012  # twisted.python.usage wants that name, and a list
        ["server", None, "http://127.0.0.1:8080", "URL of the server's device port."],
        ["controlid", None, None, "How many Control iD devices; 1, or beside --id none."],
        ["servereye", None, None, "How many Server-Eye containers; 1, or beside --id none."],
        ["seed", None, "0", "Whole number that makes the ids, the faults and who has which mood: the same."],
        ["base", None, "/", "Path that Control iD devices put before /push and /result."],
        ["api-key", None, None, "API key that Server-Eye containers send."],
        ["timeout", None, "15", "Seconds that a Control iD device waits for an answer: its push_request_timeout."],
        [
            "period",
            None,
            "1",
            "Seconds between polls of a Control iD device: its push_request_period; really 5 to 60.",
        ],
        ["retry", None, "10", "Seconds that a Server-Eye container waits after a failure."],
        ["work", None, "0.2", "Seconds that a command takes, unless it says so itself."],
        ["ramp", None, "0", "Seconds over which the devices start; 0 is all at once."],
        [
            "sites",
            None,
            "0",
            "Addresses that the devices connect from: 127.0.0.2 and so on; 0 leaves it to the system.",
        ],
        ["faults", None, "", f"Comma list of NAME or NAME=PROBABILITY, which is {DEFAULT_ODDS}: {', '.join(Fault)}."],
        ["journal", None, None, "File that gets one JSON line for every deed: commands, silences, returns."],
    ]
    optFlags = [  # noqa: N815, RUF012  # the same
        ["plan", None, "Print what will become of each device, one JSON line each, and end."]
    ]

    def __init__(self) -> None:
        super().__init__()
        self._ids: list[str] = []
        self._secrets: list[str] = []
        self._moods: list[str] = []

    def opt_id(self, device: str) -> None:
        """One particular device, as DIALECT=ID: controlid=4408801109440101. May be repeated."""
        self._ids.append(device)

    def opt_secret(self, secret: str) -> None:
        """Secret of a device, as DIALECT:ID=SECRET; it then calls below /d/SECRET. May be repeated."""
        self._secrets.append(secret)

    def opt_mood(self, mood: str) -> None:
        """Devices that are away for a time, as MOOD=WHO@START+SECONDS. silent=300@20+60: 300 devices that the seed
        picks vanish without a word 20 s after the start, and come back 60 s later, all at once; with ~5 at the end
        over 5 s, without +60 never. signed-off=300@20+60: containers that say goodbye. flap=300@20+60/10: silent and
        back every 10 s, for 60 s. Instead of 300 also 1-300, the first in a row, or site2. May be repeated.
        """
        self._moods.append(mood)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line; what is wrong with it ends the process with one line and exit code 1."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"pushd-simulate: {error}") from None

    def postOptions(self) -> None:
        """Make a plan of what was said."""
        devices = self._devices()
        self.plan = Plan(
            server=self._read("server", arguments.read_url),
            controlid=_of("controlid", devices),
            servereye=_of("servereye", devices),
            base=arguments.read_path(self["base"]),
            api_key=self["api-key"],
            secrets=_read("secret", self._secrets, lambda texts: arguments.read_secrets(texts, devices)),
            seed=self._read("seed", arguments.read_seed),
            odds=self._read("faults", read_odds),
            timeout=self._read("timeout", arguments.read_pause),
            period=self._read("period", arguments.read_pause),
            retry=self._read("retry", arguments.read_pause),
            work=self._read("work", arguments.read_seconds),
            ramp=self._read("ramp", arguments.read_seconds),
            sites=self._read("sites", arguments.read_number),
            moods=tuple(_read("mood", text, read_mood) for text in self._moods),
            journal=None if self["journal"] is None else self._read("journal", arguments.read_writable),
        )
        _read("sites", self.plan, check_sites)
        _read("mood", self.plan, check_moods)
        if self["plan"]:
            self._show()

    def _show(self) -> NoReturn:
        for line in programme(self.plan):
            sys.stdout.write(json.dumps(line) + "\n")
        raise SystemExit(0)

    def _devices(self) -> list[DeviceId]:
        """Those that were named, then those that the seed makes; each once."""
        seed = self._read("seed", arguments.read_seed)
        devices = [_read("id", text, lambda text: arguments.read_device(text, "=")) for text in self._ids]
        devices += [DeviceId("controlid", number) for number in controlid_ids(seed, self._count("controlid"))]
        devices += [DeviceId("servereye", container) for container in servereye_ids(seed, self._count("servereye"))]
        return list(dict.fromkeys(devices))

    def _count(self, dialect: str) -> int:
        if self[dialect] is None:
            return 0 if self._ids else 1
        return self._read(dialect, arguments.read_number)

    def _read(self, name: str, read: Callable[[str], _Value]) -> _Value:
        return _read(name, cast(str, self[name]), read)


def makeService(options: Options) -> IService:
    """Build the fleet; nothing is opened before it starts."""
    from twisted.internet import reactor

    install_signal_handlers(reactor)
    return assemble(options.plan, cast(IReactorTime, reactor))


_Given = TypeVar("_Given")


def _read(name: str, given: _Given, read: Callable[[_Given], _Value]) -> _Value:
    try:
        return read(given)
    except ValueError as error:
        raise usage.UsageError(f"--{name}: {error}") from None


def _of(dialect: str, devices: Iterable[DeviceId]) -> tuple[str, ...]:
    return tuple(device.local for device in devices if device.dialect == dialect)
