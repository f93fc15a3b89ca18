"""``pushd-simulate``: the command line of the simulator."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn, TypeVar, cast

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime
from twisted.python import usage

from pushd.dialects.controlid.models import MODELS
from pushd.lib.environment import parse_flag, parse_list, variable
from pushd.lib.resolver import install_resolver
from pushd.process import install_signal_handlers, print_version
from pushd.simulator.controlid.device import DIALECT as CONTROLID
from pushd.simulator.controlid.doors import DEFAULT_MODEL
from pushd.simulator.device import DeviceId
from pushd.simulator.faults import DEFAULT_PROBABILITY, Fault, parse_faults
from pushd.simulator.fleet import build_fleet, controlid_ids, servereye_ids
from pushd.simulator.http import DeviceClientFactory
from pushd.simulator.options import (
    FleetOptions,
    check_outages,
    check_sites,
    parse_count,
    parse_delay,
    parse_device,
    parse_models,
    parse_path,
    parse_seconds,
    parse_secrets,
    parse_seed,
    parse_url,
    parse_writable,
)
from pushd.simulator.outages import parse_outage
from pushd.simulator.servereye.device import DIALECT as SERVEREYE

_Given = TypeVar("_Given")
_Value = TypeVar("_Value")

_LISTS = ("id", "secret", "outage")
"""Options that may be repeated."""

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
    """The command line; ``fleet`` has the parsed options."""

    longdesc = (
        "Simulates Control iD devices and Server-Eye containers that poll a server, execute its commands and report"
        " the results; --outage and --faults make them fail as real devices do. Options may also be given as"
        " environment variables (PUSHD_CONTROLID=20)."
    )
    fleet: FleetOptions

    optParameters = [  # noqa: N815, RUF012  # Twisted requires that name, and a list
        ["server", None, "http://127.0.0.1:8080", "URL of the server's device port."],
        ["controlid", None, None, "Number of Control iD devices; 1 if no other device is asked for."],
        ["servereye", None, None, "Number of Server-Eye containers; 1 if no other device is asked for."],
        ["seed", None, "0", "Integer from which ids, faults and outages are derived; the same seed repeats them."],
        ["base", None, "/", "URL prefix for Control iD, before /push and /result."],
        ["api-key", None, None, "API key that Server-Eye containers send."],
        ["timeout", None, "15", "Request timeout of a Control iD device in seconds (its push_request_timeout)."],
        [
            "period",
            None,
            "1",
            "Seconds from an idle answer to the next poll of a Control iD device (its push_request_period).",
        ],
        [
            "model",
            None,
            DEFAULT_MODEL,
            f"Models of the Control iD devices, in turn, separated by commas: {', '.join(MODELS)}.",
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
            None,
            f"Comma-separated faults as NAME or NAME=PROBABILITY (default {DEFAULT_PROBABILITY}): {', '.join(Fault)}.",
        ],
        ["journal", None, None, "File to append one JSON line to for each command, result and outage of a device."],
    ]
    optFlags = [  # noqa: N815, RUF012  # the same
        ["object-responses", None, "Report responses of Control iD devices as objects instead of JSON text."],
        ["dry-run", None, "Print the outages of each device as one JSON line, and exit."],
    ]

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._environ = environ
        self._lists: dict[str, list[str]] = {}
        """The values of the options that may be repeated, from the command line or else from the environment."""
        self._variables: dict[str, object] = {}
        """The values of the options that are set by environment variables."""

    def getSynopsis(self) -> str:
        """Both ways to start the simulator."""
        return "Usage: pushd-simulate [options], or twistd [twistd options] pushd-simulate [options]"

    def opt_version(self) -> NoReturn:
        """Show the versions of pushd and Twisted, and exit."""
        print_version()

    def opt_id(self, device: str) -> None:
        """Add a device, as DIALECT=ID: controlid=4408801109440101. May be repeated."""
        self._lists.setdefault("id", []).append(device)

    def opt_secret(self, secret: str) -> None:
        """Secret of a device for its secret path /d/SECRET, as DIALECT:ID=SECRET. May be repeated."""
        self._lists.setdefault("secret", []).append(secret)

    def opt_outage(self, outage: str) -> None:
        """Take devices offline for a time, as KIND=DEVICES@START+SECONDS (see below). May be repeated."""
        self._lists.setdefault("outage", []).append(outage)

    def getUsage(self, width: int | None = None) -> str:
        """The help: options, and how outages are written."""
        return f"{super().getUsage(width)}{_OUTAGES}"

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the environment, then the command line; an invalid option ends the process with one line and exit
        code 1.
        """
        given = sys.argv[1:] if options is None else options
        for name in (argument.removeprefix("--").partition("=")[0] for argument in given if argument[:2] == "--"):
            if name in _RENAMED:
                raise SystemExit(f"pushd-simulate: --{name} is now --{_RENAMED[name]}")
        try:
            self._read_environment()
            self.opts.update(self._variables)
            super().parseOptions(given)
        except usage.UsageError as error:
            raise SystemExit(f"pushd-simulate: {error}") from None

    def _read_environment(self) -> None:
        readers: dict[str, Callable[[str], object]] = {str(name): str for name, *_ in self.optParameters}
        readers |= {str(name): parse_flag for name, *_ in self.optFlags}
        readers |= dict.fromkeys(_LISTS, parse_list)
        for name, read in readers.items():
            if text := self._environ.get(variable(name)):
                try:
                    self._variables[name] = read(text)
                except ValueError as error:
                    raise usage.UsageError(f"{variable(name)}: {error}") from None

    def postOptions(self) -> None:
        """Parse the values of the options."""
        self._lists = {name: self[name] for name in _LISTS if name in self.opts} | self._lists
        devices = self._devices()
        self.fleet = FleetOptions(
            server=self._parse("server", parse_url),
            controlid=_of_dialect(CONTROLID, devices),
            servereye=_of_dialect(SERVEREYE, devices),
            base=self._parse("base", parse_path),
            api_key=self["api-key"],
            secrets=self._convert(
                "secret", self._lists.get("secret", []), lambda texts: parse_secrets(texts, devices)
            ),
            seed=self._parse("seed", parse_seed),
            faults=self._parse("faults", lambda text: parse_faults(text or "")),
            timeout=self._parse("timeout", parse_delay),
            period=self._parse("period", parse_delay),
            retry_delay=self._parse("retry-delay", parse_delay),
            command_duration=self._parse("command-duration", parse_seconds),
            models=self._parse("model", parse_models),
            object_responses=bool(self["object-responses"]),
            ramp=self._parse("ramp", parse_seconds),
            sites=self._parse("sites", parse_count),
            outages=tuple(self._convert("outage", spec, parse_outage) for spec in self._lists.get("outage", [])),
            journal=None if self["journal"] is None else self._parse("journal", parse_writable),
        )
        self._convert("sites", self.fleet, check_sites)
        self._convert("outage", self.fleet, check_outages)
        if self["dry-run"]:
            self._print_schedule()

    def _print_schedule(self) -> NoReturn:
        for line in self.fleet.scenario.schedule():
            sys.stdout.write(json.dumps(line) + "\n")
        raise SystemExit(0)

    def _devices(self) -> list[DeviceId]:
        """The devices of --id, then those whose ids the seed makes; each once."""
        seed = self._parse("seed", parse_seed)
        ids = self._lists.get("id", [])
        devices = [self._convert("id", text, lambda text: parse_device(text, "=")) for text in ids]
        devices += [DeviceId(CONTROLID, number) for number in controlid_ids(seed, self._count(CONTROLID))]
        devices += [DeviceId(SERVEREYE, container) for container in servereye_ids(seed, self._count(SERVEREYE))]
        return list(dict.fromkeys(devices))

    def _count(self, dialect: str) -> int:
        if self[dialect] is not None:
            return self._parse(dialect, parse_count)
        is_asked_for_others = self._lists.get("id") or any(self[name] is not None for name in (CONTROLID, SERVEREYE))
        return 0 if is_asked_for_others else 1

    def _parse(self, option: str, parse: Callable[[str], _Value]) -> _Value:
        return self._convert(option, cast(str, self[option]), parse)

    def _convert(self, option: str, given: _Given, parse: Callable[[_Given], _Value]) -> _Value:
        try:
            return parse(given)
        except ValueError as error:
            raise usage.UsageError(f"{self._source(option)}: {error}") from None

    def _source(self, option: str) -> str:
        """How an error message calls an option: as it was given."""
        value = self._lists.get(option) if option in _LISTS else self[option]
        of_environment = option in self._variables and value == self._variables[option]
        return variable(option) if of_environment else f"--{option}"


def makeService(options: Options) -> IService:
    """Build the fleet; nothing is opened before it starts."""
    from twisted.internet import reactor

    install_signal_handlers(reactor)
    install_resolver(reactor)  # devices that connect together share a look-up
    return build_fleet(options.fleet, cast(IReactorTime, reactor), DeviceClientFactory(reactor).create)


def _of_dialect(dialect: str, devices: Iterable[DeviceId]) -> tuple[str, ...]:
    return tuple(device.local for device in devices if device.dialect == dialect)
