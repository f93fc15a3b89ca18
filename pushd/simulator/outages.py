"""Outages: which devices go offline, when and for how long; parsed from options such as ``offline=300@20+60``,
assigned to devices, and run.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address
from math import ceil
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pushd.lib.background import in_background, pause
from pushd.simulator.device import DeviceId, SimulatedDevice
from pushd.simulator.faults import seeded_random
from pushd.simulator.journal import Journal
from pushd.simulator.servereye.device import DIALECT as SERVEREYE

_log = Logger()

_FORMAT = "KIND=DEVICES@START+SECONDS, as in offline=300@20+60"

_MAX_SECONDS = 604_800.0
"""A week."""

_MAX_REPEATS = 1000
"""Times that one outage may take a device offline."""

_NUMBER = r"\d{1,9}(?:\.\d{1,6})?"
_OUTAGE = re.compile(
    rf"(?P<kind>[^=]*)=(?P<devices>[^@]*)@(?P<start>{_NUMBER})"
    rf"(?:\+(?P<duration>{_NUMBER}))?(?:/(?P<period>{_NUMBER}))?(?:~(?P<spread>{_NUMBER}))?",
    re.ASCII,
)
_DEVICES = re.compile(
    r"(?P<count>[1-9]\d{0,5})|(?P<first>[1-9]\d{0,5})-(?P<last>[1-9]\d{0,5})|site(?P<site>[1-9]\d{0,5})", re.ASCII
)

_FIRST_ADDRESS = IPv4Address("127.0.0.2")
"""The address of the first site; Linux lets a process connect from any address in 127.0.0.0/8."""


class OutageKind(StrEnum):
    """A way to be offline."""

    OFFLINE = "offline"  # disconnects without a sign-off, and returns later
    SIGNED_OFF = "signed-off"  # signs off first, which only containers can
    FLAPPING = "flapping"  # disconnects and returns repeatedly


_RENAMED = {"silent": OutageKind.OFFLINE, "flap": OutageKind.FLAPPING}
"""Former names of kinds, which are refused with the present one."""


class Change(StrEnum):
    """What happens to a device in an outage, as the journal names it."""

    OFFLINE = "went-offline"
    SIGNED_OFF = "signed-off"
    BACK = "came-back"


@frozen
class RandomDevices:
    """A number of devices, chosen by the seed."""

    count: int


@frozen
class DeviceRange:
    """The devices at these positions and between them, counted from 1."""

    first: int
    last: int


@frozen
class SiteDevices:
    """The devices of one site; sites are counted from 1."""

    site: int


DeviceSelector = RandomDevices | DeviceRange | SiteDevices
"""The devices that an outage affects."""


@frozen(kw_only=True)
class OutageStep:
    """What happens to all devices of an outage, ``after`` seconds from the start."""

    after: float
    change: Change


@frozen(kw_only=True)
class Outage:
    """One planned outage; all times are in seconds, ``start`` counts from the start of the simulator.

    Without ``duration`` the devices never return. They return over ``spread`` seconds; ``period`` is the time from one
    disconnection of a flapping device to the next.
    """

    spec: str
    """The text that it was parsed from."""
    kind: OutageKind
    devices: DeviceSelector
    start: float
    duration: float | None = None
    period: float | None = None
    spread: float = 0.0

    def steps(self) -> Iterator[OutageStep]:
        """What happens, in order of time."""
        if self.duration is None:
            yield self._leave(self.start)
            return
        period = self.period or 2 * self.duration
        end = self.start + self.duration
        for repeat in range(_repeats(self.duration, period)):
            start = self.start + repeat * period
            yield self._leave(start)
            yield OutageStep(after=min(start + period / 2, end), change=Change.BACK)

    def _leave(self, after: float) -> OutageStep:
        signs_off = self.kind is OutageKind.SIGNED_OFF
        return OutageStep(after=after, change=Change.SIGNED_OFF if signs_off else Change.OFFLINE)


def parse_outage(spec: str) -> Outage:
    """An outage as the command line has it.

    :raises ValueError: with a message for the operator.
    """
    found = _OUTAGE.fullmatch(spec)
    if found is None:
        raise ValueError(f"must be {_FORMAT}, not {spec!r}")
    start, duration, period, spread = (_seconds(found[name]) for name in ("start", "duration", "period", "spread"))
    outage = Outage(
        spec=spec,
        kind=_parse_kind(found["kind"]),
        devices=_parse_devices(found["devices"]),
        start=start or 0.0,
        duration=duration,
        period=period,
        spread=spread or 0.0,
    )
    problem = _contradiction(outage)
    if problem:
        raise ValueError(f"{spec}: {problem}")
    return outage


def _parse_kind(text: str) -> OutageKind:
    if text in _RENAMED:
        raise ValueError(f"{text} is now {_RENAMED[text]}")
    try:
        return OutageKind(text)
    except ValueError:
        raise ValueError(f"unknown kind of outage {text!r}; must be one of {', '.join(OutageKind)}") from None


def _parse_devices(text: str) -> DeviceSelector:
    found = _DEVICES.fullmatch(text)
    if found is None:
        raise ValueError(f"devices must be a number (300), a range (1-300) or a site (site2), not {text!r}")
    if found["count"]:
        return RandomDevices(int(found["count"]))
    if found["site"]:
        return SiteDevices(int(found["site"]))
    return DeviceRange(int(found["first"]), int(found["last"]))


def _seconds(text: str | None) -> float | None:
    return None if text is None else float(text)


def _contradiction(outage: Outage) -> str | None:
    """What is wrong with an outage whose parts are well-formed, and how to correct it."""
    devices = outage.devices
    if isinstance(devices, DeviceRange) and devices.first > devices.last:
        return f"a range must begin with the lower number: {devices.last}-{devices.first}"
    if max(outage.start, outage.duration or 0, outage.spread) > _MAX_SECONDS:
        return f"times must be at most {_MAX_SECONDS:g} seconds, a week"
    if outage.duration == 0:
        return "+SECONDS must be more than 0; omit it for devices that never return"
    if outage.spread and outage.duration is None:
        return "~SECONDS spreads the return, so it needs +SECONDS"
    if outage.kind is OutageKind.FLAPPING:
        return _flapping_contradiction(outage)
    return None if outage.period is None else "only a flapping outage has a /PERIOD"


def _flapping_contradiction(outage: Outage) -> str | None:
    if outage.duration is None or outage.period is None:
        return "a flapping outage needs +SECONDS and /PERIOD, as in flapping=20@30+60/10"
    if not 0 < outage.period <= outage.duration:
        return "the /PERIOD of a flapping outage must be more than 0 and at most its +SECONDS"
    if _repeats(outage.duration, outage.period) > _MAX_REPEATS:
        return f"a device must not flap more than {_MAX_REPEATS} times: choose a longer /PERIOD"
    if outage.spread > outage.period / 2:
        return "the ~SECONDS of a flapping outage must be at most half its /PERIOD"
    return None


def _repeats(duration: float, period: float) -> int:
    # rounded, because 1000 * 0.009 / 0.009 is more than 1000
    return ceil(round(duration / period, 6))


def is_loopback(host: str) -> bool:
    """Whether ``host`` is a loopback address; only from such addresses can sites connect to it."""
    try:
        return IPv4Address(host).is_loopback
    except AddressValueError:
        return False


def site_address(site: int) -> str:
    """The address that the devices of a site connect from; sites are counted from 1."""
    return str(_FIRST_ADDRESS + site - 1)


@frozen(kw_only=True)
class AssignedOutage:
    """An outage, and its devices, each with the seconds that its returns are delayed by."""

    outage: Outage
    return_delays: Mapping[str, float]


@frozen(kw_only=True)
class Scenario:
    """The devices of a run, the sites that they are divided into, and their outages: the same for the same seed."""

    devices: Sequence[DeviceId]
    """In the order of their positions, which count from 1."""
    outages: Sequence[Outage] = ()
    sites: int = 0
    """Number of sites; 0 if the devices have none."""
    seed: int = 0

    def site(self, position: int) -> int | None:
        """The site of the device at a position: neighbours share a site, and sites are equally large."""
        return (position - 1) * self.sites // len(self.devices) + 1 if self.sites else None

    def assign(self) -> tuple[AssignedOutage, ...]:
        """The outages with their devices: named devices are assigned first, then the seed chooses among the rest.

        :raises ValueError: if that is not possible, with a message for the operator.
        """
        assignment = _Assignment(self)
        chosen: dict[int, list[DeviceId]] = {}
        numbered = sorted(enumerate(self.outages), key=lambda entry: isinstance(entry[1].devices, RandomDevices))
        for number, outage in numbered:
            chosen[number] = assignment.choose(number, outage)
        return tuple(
            AssignedOutage(
                outage=outage,
                return_delays={str(device): self._return_delay(outage, device) for device in chosen[number]},
            )
            for number, outage in enumerate(self.outages)
        )

    def schedule(self) -> Iterator[dict[str, Any]]:
        """What will happen to each device, in the order of their positions, ready for JSON."""
        by_device = {device: assigned for assigned in self.assign() for device in assigned.return_delays}
        for position, device in enumerate(map(str, self.devices), 1):
            site = self.site(position)
            assigned = by_device.get(device)
            yield {
                "device": device,
                "place": position,
                "site": site,
                "address": None if site is None else site_address(site),
                "outage": None if assigned is None else assigned.outage.spec,
                "changes": [] if assigned is None else list(_changes(assigned, device)),
            }

    def _return_delay(self, outage: Outage, device: DeviceId) -> float:
        if not outage.spread:
            return 0.0
        return outage.spread * seeded_random(self.seed, f"{outage.spec} {device}").random()


def _changes(assigned: AssignedOutage, device: str) -> Iterator[dict[str, Any]]:
    for step in assigned.outage.steps():
        delay = assigned.return_delays[device] if step.change is Change.BACK else 0.0
        yield {"after": round(step.after + delay, 3), "did": step.change}


@define(eq=False)
class _Assignment:
    """Chooses the devices of one outage after another, each device at most once."""

    scenario: Scenario
    _taken: dict[DeviceId, Outage] = field(factory=dict, init=False)

    def choose(self, number: int, outage: Outage) -> list[DeviceId]:
        """The devices of an outage; ``number`` is its place on the command line."""
        selector = outage.devices
        if isinstance(selector, RandomDevices):
            chosen = self._choose_random(number, outage, selector.count)
        else:
            chosen = self._choose_named(outage, selector)
        self._taken |= dict.fromkeys(chosen, outage)
        return chosen

    def _choose_named(self, outage: Outage, selector: DeviceRange | SiteDevices) -> list[DeviceId]:
        named = self._range(outage, selector) if isinstance(selector, DeviceRange) else self._site(outage, selector)
        capable = _capable(outage, named)
        if not capable:
            raise ValueError(f"{outage.spec} names no container, and Control iD devices cannot sign off; use offline")
        for device in capable:
            if device in self._taken:
                other = self._taken[device].spec
                raise ValueError(f"{outage.spec} and {other} both name {device}: a device can have only one outage")
        return capable

    def _choose_random(self, number: int, outage: Outage, count: int) -> list[DeviceId]:
        capable = _capable(outage, self.scenario.devices)
        seeded_random(self.scenario.seed, f"outage {number}").shuffle(capable)
        free = [device for device in capable if device not in self._taken]
        if len(free) < count:
            signs_off = outage.kind is OutageKind.SIGNED_OFF
            raise ValueError(
                f"{outage.spec} needs {count} {'containers' if signs_off else 'devices'}, but only {len(free)} of"
                f" {len(capable)} are not in another outage: choose fewer,"
                f" or raise {'--servereye' if signs_off else '--controlid or --servereye'}"
            )
        return free[:count]

    def _range(self, outage: Outage, selector: DeviceRange) -> Sequence[DeviceId]:
        devices = self.scenario.devices
        if selector.last > len(devices):
            raise ValueError(f"{outage.spec} names device {selector.last}, but there are only {len(devices)}")
        return devices[selector.first - 1 : selector.last]

    def _site(self, outage: Outage, selector: SiteDevices) -> Sequence[DeviceId]:
        scenario = self.scenario
        if selector.site > scenario.sites:
            raise ValueError(f"{outage.spec} names site {selector.site}, but --sites is only {scenario.sites}")
        positions = enumerate(scenario.devices, 1)
        return [device for position, device in positions if scenario.site(position) == selector.site]


def _capable(outage: Outage, devices: Sequence[DeviceId]) -> list[DeviceId]:
    # Control iD has no sign-off
    return [d for d in devices if outage.kind is not OutageKind.SIGNED_OFF or d.dialect == SERVEREYE]


@define(eq=False, kw_only=True)
class OutageRunner:
    """Takes the devices of one outage offline and brings them back at the planned times."""

    assigned: AssignedOutage
    devices: Mapping[str, SimulatedDevice]
    """By id; devices of other outages may be among them."""
    clock: IReactorTime
    journal: Journal
    _tasks: list[Deferred[None]] = field(factory=list, init=False)
    _logged: set[OutageStep] = field(factory=set, init=False)
    """Steps that were logged: the first device to reach a step logs it for all."""

    def start(self) -> None:
        """Run the outage; its times count from now."""
        started_at = self.clock.seconds()
        self._tasks = [in_background(self._run(device, started_at)) for device in self.assigned.return_delays]

    def stop(self) -> None:
        """Leave every device in its present state."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, device_id: str, started_at: float) -> None:
        with suppress(CancelledError):
            for step in self.assigned.outage.steps():
                await pause(self.clock, max(0.0, started_at + step.after - self.clock.seconds()))
                self._log_once(step)
                await self._change(device_id, step.change)

    def _log_once(self, step: OutageStep) -> None:
        if step in self._logged:
            return
        self._logged.add(step)
        _log.info(
            "{outage}: {count} devices {change}",
            outage=self.assigned.outage.spec,
            count=len(self.assigned.return_delays),
            change=step.change.replace("-", " "),
        )

    async def _change(self, device_id: str, change: Change) -> None:
        device = self.devices[device_id]
        if change is Change.SIGNED_OFF:
            await device.stop()  # records it in the journal, with whether the server answered
            return
        if change is Change.BACK:
            await pause(self.clock, self.assigned.return_delays[device_id])
            device.start()
        else:
            device.go_offline()
        self.journal.record_presence(device_id, change)
