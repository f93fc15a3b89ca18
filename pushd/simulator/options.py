"""Parsed options: the texts of the command line as values, or a ValueError with a message for the operator."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path

from attrs import field, frozen
from hyperlink import DecodedURL, URLParseError

from pushd.dialects.controlid import wire as controlid
from pushd.dialects.controlid.serial_number import from_serial
from pushd.dialects.servereye import wire as servereye
from pushd.model.errors import InvalidQuery
from pushd.simulator.controlid.device import DIALECT as CONTROLID
from pushd.simulator.controlid.doors import DEFAULT_MODEL, parse_model
from pushd.simulator.device import DeviceId
from pushd.simulator.faults import Fault
from pushd.simulator.outages import Outage, Scenario, is_loopback
from pushd.simulator.servereye.device import DIALECT as SERVEREYE

_MAX_DEVICES = 100_000
"""Devices of one dialect: more than one process has sockets for."""

_CANONICAL: Mapping[str, Callable[[str], str]] = {
    CONTROLID: controlid.canonical,
    SERVEREYE: servereye.canonical,
}


@frozen(kw_only=True)
class FleetOptions:
    """Which devices to simulate, how they behave, and the URL of their server; durations are in seconds."""

    server: DecodedURL
    controlid: Sequence[str] = ()
    servereye: Sequence[str] = ()
    base: Sequence[str] = ()
    """Segments of the URL path in front of ``/push`` and ``/result`` of Control iD."""
    api_key: str | None = None
    secrets: Mapping[str, str] = field(factory=dict)
    """By device: the secret of its secret path."""
    seed: int = 0
    faults: Mapping[Fault, float] = field(factory=dict)
    """The probability of each fault."""
    timeout: float = 15.0
    period: float = 1.0
    retry_delay: float = 10.0
    command_duration: float = 0.2
    models: Sequence[str] = (DEFAULT_MODEL,)
    """Of the Control iD devices, in turn."""
    object_responses: bool = False
    """Whether Control iD devices report the response of a command as an object instead of JSON text."""
    ramp: float = 0.0
    """Time over which the start of the devices is spread."""
    sites: int = 0
    """Number of source addresses; 0 lets the system choose."""
    outages: Sequence[Outage] = ()
    journal: Path | None = None

    @property
    def devices(self) -> tuple[DeviceId, ...]:
        """All devices, in the order of their positions: first Control iD, then Server-Eye."""
        readers = (DeviceId(CONTROLID, number) for number in self.controlid)
        return (*readers, *(DeviceId(SERVEREYE, container) for container in self.servereye))

    @property
    def scenario(self) -> Scenario:
        """The devices with their sites and outages."""
        return Scenario(devices=self.devices, outages=self.outages, sites=self.sites, seed=self.seed)


def check_sites(options: FleetOptions) -> None:
    """Check that the devices can connect from as many addresses as ``sites``.

    :raises ValueError: with a message for the operator.
    """
    if options.sites and not is_loopback(options.server.host):
        raise ValueError(
            f"the server must have a loopback address, as in --server http://127.0.0.1:8080, not {options.server.host}"
        )
    if options.sites > len(options.devices):
        raise ValueError(f"must be at most the number of devices, {len(options.devices)}, not {options.sites}")


def check_outages(options: FleetOptions) -> None:
    """Check that all devices have started before the outages, and that there are enough devices.

    :raises ValueError: with a message for the operator.
    """
    for outage in options.outages:
        if outage.start < options.ramp:
            raise ValueError(f"{outage.spec} must not start before all devices have started, at @{options.ramp:g}")
    options.scenario.assign()


def parse_device(text: str, separator: str) -> DeviceId:
    """A device as ``<dialect><separator><id>``: ``controlid=4408801109440101``, or ``controlid=0G0200/005B6D``, the
    serial number on its label.
    """
    dialect, found, local = text.partition(separator)
    if not found or dialect not in _CANONICAL:
        raise ValueError(f"must begin with {' or '.join(name + separator for name in _CANONICAL)}, not {text!r}")
    try:
        number = from_serial(local) if dialect == CONTROLID else None
        return DeviceId(dialect, number or _CANONICAL[dialect](local))
    except InvalidQuery as error:
        raise ValueError(str(error)) from None


def parse_url(text: str) -> DecodedURL:
    """The URL of a server, without a query."""
    try:
        url = DecodedURL.from_text(text)
    except (URLParseError, ValueError):
        raise ValueError(f"must be a URL, not {text!r}") from None
    if url.scheme not in ("http", "https") or not url.host or (url.port or 0) not in range(65536):
        raise ValueError(f"must be an http or https URL, not {text!r}")
    return url.replace(query=(), fragment="")


def parse_path(text: str) -> tuple[str, ...]:
    """The segments of a URL path."""
    return tuple(segment for segment in text.split("/") if segment)


def parse_models(text: str) -> tuple[str, ...]:
    """One or more models of Control iD devices, separated by commas."""
    return tuple(parse_model(model) for model in text.split(","))


def parse_count(text: str) -> int:
    """A number of devices."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_DEVICES)) and int(text) <= _MAX_DEVICES):
        raise ValueError(f"must be a whole number from 0 to {_MAX_DEVICES}, not {text!r}")
    return int(text)


def parse_seed(text: str) -> int:
    """Any whole number."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"must be a whole number, not {text!r}") from None


def parse_seconds(text: str) -> float:
    """A duration of 0 seconds or more."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds < 0:
        raise ValueError(f"must be a number of seconds, not {text!r}")
    return seconds


def parse_delay(text: str) -> float:
    """A duration of more than 0 seconds: with a delay of 0 a device would retry without end."""
    seconds = parse_seconds(text)
    if seconds <= 0:
        raise ValueError("must be more than 0 seconds")
    return seconds


def parse_writable(text: str) -> Path:
    """The path of a file that can be appended to; it is created if it does not exist."""
    path = Path(text).absolute()
    try:
        path.open("a").close()
    except OSError as error:
        raise ValueError(f"cannot write to {text}: {error.strerror}") from None
    return path


def parse_secrets(texts: Iterable[str], devices: Iterable[DeviceId]) -> dict[str, str]:
    """Secrets by device, each given as ``DIALECT:ID=SECRET``; the device must be one of ``devices``."""
    known, secrets = {str(device) for device in devices}, {}
    for text in texts:
        name, _, secret = text.partition("=")
        device = str(parse_device(name, ":"))
        if device not in known:
            raise ValueError(f"{device} is not one of the simulated devices")
        if not secret:
            raise ValueError(f"the secret of {device} must not be empty")
        secrets[device] = secret
    return secrets
