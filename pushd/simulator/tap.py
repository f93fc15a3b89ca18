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

_RENAMED = {"mood": "outage", "plan": "dry-run", "retry": "retry-delay", "work": "command-duration"}
"""Former names of options, which are refused with the present one."""


_OUTAGES = """
Outages:
  offline=300@20+60      300 devices, chosen by the seed, disconnect 20 s after
                         the start and return together 60 s later.
  offline=300@20+60~5    The same, but the return is spread over 5 s.
  offline=300@20         The same, but the devices never return.
  offline=1-300@20+60    Devices 1 to 300, in the order of --dry-run.
  offline=site2@20+60    The devices of the second source address of --sites.
  signed-off=50@30+60    50 containers sign off, and return 60 s later.
  flapping=20@30+60/10   20 devices are offline for 5 s in every 10 s, for 60 s.
"""


class Options(usage.Options):
    """The command line; ``plan`` has the parsed options."""

    synopsis = "[options]"
    longdesc = (
        "Simulates Control iD devices and Server-Eye containers that poll a server, execute its commands and report"
        " the results; --outage and --faults make them fail as real devices do."
    )
    plan: Plan

    optParameters = [  # noqa: N815, RUF012  # Twisted requires that name, and a list
        ["server", None, "http://127.0.0.1:8080", "URL of the server's device port."],
        ["controlid", None, None, "Number of Control iD devices; the default is 1, or 0 with --id."],
        ["servereye", None, None, "Number of Server-Eye containers; the default is 1, or 0 with --id."],
        ["seed", None, "0", "Integer from which ids, faults and outages are derived; the same seed repeats them."],
        ["base", None, "/", "URL prefix for Control iD, in front of /push and /result."],
        ["api-key", None, None, "API key that Server-Eye containers send."],
        ["timeout", None, "15", "Request timeout of a Control iD device in seconds (its push_request_timeout)."],
        [
            "period",
            None,
            "1",
            "Seconds between two polls of a Control iD device (its push_request_period); real devices use 5 to 60.",
        ],
        ["retry-delay", None, "10", "Seconds that a Server-Eye container waits after a failed request."],
        ["command-duration", None, "0.2", "Seconds that a command takes to execute, unless it sets its own duration."],
        ["ramp", None, "0", "Seconds over which the start of the devices is spread; 0 starts all at once."],
        [
            "sites",
            None,
            "0",
            "Number of source addresses, 127.0.0.2 and up, that the devices share; 0 lets the system choose.",
        ],
        [
            "faults",
            None,
            "",
            f"Comma-separated faults as NAME or NAME=PROBABILITY (default {DEFAULT_ODDS}): {', '.join(Fault)}.",
        ],
        ["journal", None, None, "File to append one JSON line to for each command, result and outage of a device."],
    ]
    optFlags = [  # noqa: N815, RUF012  # the same
        ["dry-run", None, "Print the outages of each device as one JSON line, and exit."]
    ]

    def __init__(self) -> None:
        super().__init__()
        self._ids: list[str] = []
        self._secrets: list[str] = []
        self._outages: list[str] = []

    def opt_id(self, device: str) -> None:
        """Add a device, as DIALECT=ID: controlid=4408801109440101. May be repeated."""
        self._ids.append(device)

    def opt_secret(self, secret: str) -> None:
        """Secret of a device for its secret path /d/SECRET, as DIALECT:ID=SECRET. May be repeated."""
        self._secrets.append(secret)

    def opt_outage(self, outage: str) -> None:
        """Take devices offline for a time, as KIND=DEVICES@START+SECONDS (see below). May be repeated."""
        self._outages.append(outage)

    def getUsage(self, width: int | None = None) -> str:
        """The help: options, and how outages are written."""
        return f"{super().getUsage(width)}{_OUTAGES}"

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line; an invalid one ends the process with one line and exit code 1."""
        given = sys.argv[1:] if options is None else options
        for name in (argument.removeprefix("--").partition("=")[0] for argument in given if argument[:2] == "--"):
            if name in _RENAMED:
                raise SystemExit(f"pushd-simulate: --{name} is now --{_RENAMED[name]}")
        try:
            super().parseOptions(given)
        except usage.UsageError as error:
            raise SystemExit(f"pushd-simulate: {error}") from None

    def postOptions(self) -> None:
        """Convert the options to a plan."""
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
            retry=self._read("retry-delay", arguments.read_pause),
            work=self._read("command-duration", arguments.read_seconds),
            ramp=self._read("ramp", arguments.read_seconds),
            sites=self._read("sites", arguments.read_number),
            moods=tuple(_read("outage", text, read_mood) for text in self._outages),
            journal=None if self["journal"] is None else self._read("journal", arguments.read_writable),
        )
        _read("sites", self.plan, check_sites)
        _read("outage", self.plan, check_moods)
        if self["dry-run"]:
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
