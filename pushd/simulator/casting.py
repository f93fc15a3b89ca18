"""The casting: which device takes part in which mood, the same for the same seed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from pushd.simulator import sites
from pushd.simulator.arguments import DeviceId
from pushd.simulator.faults import dice
from pushd.simulator.options import Plan
from pushd.simulator.scenarios import Change, Mood, Row, Site, Some, Temper
from pushd.simulator.servereye.device import DIALECT as SERVEREYE


@frozen(kw_only=True)
class Part:
    """A mood and its devices, each with the seconds by which its returns are late."""

    mood: Mood
    lags: Mapping[str, float]


def cast(plan: Plan) -> tuple[Part, ...]:
    """The moods of a plan with their devices: first those that name some, then those that take any.

    :raises ValueError: in words for whoever wrote the moods.
    """
    casting = _Casting(plan.devices, plan.sites, plan.seed)
    chosen: dict[int, list[DeviceId]] = {}
    for place, mood in sorted(enumerate(plan.moods), key=lambda numbered: isinstance(numbered[1].who, Some)):
        chosen[place] = casting.choose(place, mood)
    return tuple(
        Part(mood=mood, lags={str(device): _lag(plan.seed, mood, device) for device in chosen[place]})
        for place, mood in enumerate(plan.moods)
    )


def check_moods(plan: Plan) -> None:
    """Whether the plan's moods can be played.

    :raises ValueError: in words for whoever wrote them.
    """
    for mood in plan.moods:
        if mood.start < plan.ramp:
            raise ValueError(f"{mood.text} begins before all devices have started: say @{plan.ramp:g} or later")
    cast(plan)


def programme(plan: Plan) -> Iterator[dict[str, Any]]:
    """What will become of each device, in the order of their places."""
    parts = {device: part for part in cast(plan) for device in part.lags}
    for place, device in enumerate(map(str, plan.devices), 1):
        site = plan.site(place)
        part = parts.get(device)
        yield {
            "device": device,
            "place": place,
            "site": site,
            "address": None if site is None else sites.address(site),
            "outage": None if part is None else part.mood.text,
            "changes": [] if part is None else list(_changes(part, device)),
        }


@define(eq=False)
class _Casting:
    devices: Sequence[DeviceId]
    sites: int
    seed: int
    _taken: dict[DeviceId, Mood] = field(factory=dict, init=False)

    def choose(self, place: int, mood: Mood) -> list[DeviceId]:
        who = mood.who
        chosen = self._any(place, mood, who.count) if isinstance(who, Some) else self._named(mood, who)
        self._taken |= dict.fromkeys(chosen, mood)
        return chosen

    def _named(self, mood: Mood, who: Row | Site) -> list[DeviceId]:
        fit = _fit(mood, self._row(mood, who) if isinstance(who, Row) else self._site(mood, who))
        if not fit:
            raise ValueError(
                f"{mood.text} names no container, and Control iD devices cannot sign off; use offline instead"
            )
        for device in fit:
            if device in self._taken:
                other = self._taken[device].text
                raise ValueError(f"{mood.text} and {other} both take {device}: a device can have only one outage")
        return fit

    def _any(self, place: int, mood: Mood, count: int) -> list[DeviceId]:
        fit = _fit(mood, self.devices)
        dice(self.seed, f"outage {place}").shuffle(fit)
        free = [device for device in fit if device not in self._taken]
        if len(free) < count:
            whom = "containers" if mood.temper is Temper.SIGNED_OFF else "devices"
            raise ValueError(
                f"{mood.text} takes {count} {whom}, and {len(free)} of {len(fit)} are in no other outage:"
                f" take fewer, or raise --{'servereye' if whom == 'containers' else 'controlid or --servereye'}"
            )
        return free[:count]

    def _row(self, mood: Mood, row: Row) -> Sequence[DeviceId]:
        if row.last > len(self.devices):
            raise ValueError(f"{mood.text} names device {row.last}, and there are {len(self.devices)}")
        return self.devices[row.first - 1 : row.last]

    def _site(self, mood: Mood, site: Site) -> Sequence[DeviceId]:
        if site.number > self.sites:
            raise ValueError(f"{mood.text} names site {site.number}, and --sites is {self.sites}: raise it")
        return [
            device
            for place, device in enumerate(self.devices, 1)
            if sites.of(place, len(self.devices), self.sites) == site.number
        ]


def _fit(mood: Mood, devices: Sequence[DeviceId]) -> list[DeviceId]:
    # the other dialect has no goodbye
    return [device for device in devices if mood.temper is not Temper.SIGNED_OFF or device.dialect == SERVEREYE]


def _lag(seed: int, mood: Mood, device: DeviceId) -> float:
    return mood.spread * dice(seed, f"{mood.text} {device}").random() if mood.spread else 0.0


def _changes(part: Part, device: str) -> Iterator[dict[str, Any]]:
    for phase in part.mood.phases():
        lag = part.lags[device] if phase.change is Change.BACK else 0.0
        yield {"after": round(phase.after + lag, 3), "did": phase.change}
