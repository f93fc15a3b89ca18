"""The ledger: the feed from its beginning, entry by entry, and what the rules of the pages say must follow from it.

It knows nothing of how the server does it. What happens at one moment is one transaction, so a rule about "at once"
can be exact.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import define, field, frozen

from pushd.model.timestamps import from_rfc3339, milliseconds
from tests.alerting.evidence import StoreOutage
from tests.alerting.setting import TOGETHER, Pace
from tests.crash.api import Json

WINDOW = "a silence is told after its window, and no later"
BEHIND = "five or more silences behind one address are one alert, fewer are not"
OVER = "an alert is cleared when the last of its devices speaks"
FLAPS = "who flaps is told of once"


@frozen
class Breach:
    """A promise that was not kept, and to whom; without a device it was to all."""

    promise: str
    how: str
    device: str | None = None


@frozen
class Span:
    """Something happened between these two moments, in wall milliseconds."""

    earliest: int
    latest: int


@define(eq=False, kw_only=True)
class _Open:
    """An alert that is open: who has not spoken yet, when it was raised, and when it should be cleared."""

    silent: set[str]
    raised_at: int
    over_at: int | None = None


@define(eq=False)
class Ledger:
    """Reads the feed; ``breaches`` is what was wrong. ``slack`` is in milliseconds."""

    places: Mapping[str, Json]
    """The plan of each device."""
    pace: Pace
    slack: int
    outage: StoreOutage | None
    breaches: list[Breach] = field(factory=list, init=False)
    groups: int = field(default=0, init=False)
    """Alerts about several devices."""
    waiting_at_kill: int = field(default=0, init=False)
    _waiting: dict[str, Span] = field(factory=dict, init=False)
    """Who is silent, and nobody was told: since when that waits."""
    _changes: defaultdict[str, list[int]] = field(factory=lambda: defaultdict(list), init=False)
    _flapping: dict[str, str] = field(factory=dict, init=False)
    """Who flaps, and by which alert that was told."""
    _to_be_told: dict[str, int] = field(factory=dict, init=False)
    """Who began to flap, and when, and must be told of at once."""
    _open: dict[str, _Open] = field(factory=dict, init=False)
    _restarted: bool = field(default=False, init=False)

    def read(self, feed: Iterable[Json]) -> None:
        """Read all of it."""
        for event in feed:
            at = from_rfc3339(event["at"])
            self._restart(at)
            read = self._READS.get(event["type"])
            if read is not None:
                read(self, event, at)
        self._end()

    def _restart(self, at: int) -> None:
        """Over a restart, what waits begins anew."""
        if self.outage is None or self._restarted or at < self.outage.started_at:
            return
        self._restarted = True
        self.waiting_at_kill = len(self._waiting)
        self._waiting = dict.fromkeys(self._waiting, Span(self.outage.started_at, self.outage.ready_at))

    def _offline(self, event: Json, at: int) -> None:
        device = event["device"]
        if self.places[device]["role"] == "muted":
            return
        self._waiting[device] = Span(at, at)
        self._changes[device].append(at)
        if self._flaps(device, at) and device not in self._flapping:
            self._to_be_told[device] = at

    def _online(self, event: Json, at: int) -> None:
        device = event["device"]
        if event["data"].get("after") == "offline":
            self._changes[device].append(at)
        waited = self._waiting.pop(device, None)
        if waited is not None and device not in self._flapping:
            self._must_be_told(device, waited, at)
        for alert in self._open.values():
            if device in alert.silent:
                alert.silent.remove(device)
                if not alert.silent:
                    alert.over_at = at

    def _must_be_told(self, device: str, waited: Span, at: int) -> None:
        if at - waited.latest > milliseconds(self.pace.window) + self.slack:
            self._broken(WINDOW, f"it was silent for {at - waited.latest} ms more, and nobody was told", device)

    def _raised(self, event: Json, at: int) -> None:
        data = event["data"]
        if data["kind"] == "flapping":
            self._raised_flapping(event["device"], data["alert"], at)
        elif data["kind"] in ("offline", "site_offline"):
            self._check_kind(data)
            self._raised_offline(data["devices"], data.get("address"), at)
            self._open[data["alert"]] = _Open(silent=set(data["devices"]), raised_at=at)

    def _check_kind(self, data: Json) -> None:
        if (data["kind"] == "site_offline") != (data.get("address") is not None):
            self._broken(BEHIND, f"an alert of kind {data['kind']} has the address {data.get('address')}")

    def _raised_offline(self, devices: list[str], address: str | None, at: int) -> None:
        for device in devices:
            if device not in self._waiting or device in self._flapping:
                self._broken(WINDOW, "an alert says that it is silent, which does not wait to be told", device)
        self._check_together(devices, address)
        spans = [self._waiting.pop(device) for device in devices if device in self._waiting]
        if not spans:
            return
        window = milliseconds(self.pace.window)
        first = Span(min(span.earliest for span in spans), min(span.latest for span in spans))
        if at < first.earliest + window:
            self._broken(
                WINDOW, f"it was told {first.earliest + window - at} ms before its window was over", devices[0]
            )
        if at > first.latest + window + self.slack:
            self._broken(WINDOW, f"it was told {at - first.latest - window} ms after its window was over", devices[0])

    def _check_together(self, devices: list[str], address: str | None) -> None:
        where = self.places[devices[0]]["address"]
        behind = {
            device
            for device in self._waiting
            if self.places[device]["address"] == where and device not in self._flapping
        }
        if address is None and (len(devices) > 1 or len(behind) >= TOGETHER):
            self._broken(BEHIND, f"{len(devices)} of {len(behind)} behind {where} were told alone", devices[0])
        if address is not None and (set(devices) != behind or address != where or len(devices) < TOGETHER):
            self._broken(
                BEHIND, f"{len(devices)} behind {address} were told, and {len(behind)} are silent", devices[0]
            )
        self.groups += len(devices) > 1

    def _raised_flapping(self, device: str, alert: str, at: int) -> None:
        if self._to_be_told.pop(device, None) != at:
            self._broken(FLAPS, "it is said to flap, and did not change often enough, or this was told before", device)
        self._flapping[device] = alert

    def _cleared(self, event: Json, at: int) -> None:
        data = event["data"]
        if data["kind"] == "flapping":
            self._cleared_flapping(event["device"], data["alert"], at)
            return
        alert = self._open.pop(data["alert"], None)
        if alert is None:
            self._broken(OVER, f"alert {data['alert']} is cleared, and was not open", event["device"])
        elif alert.over_at != at:
            silent = f"and {len(alert.silent)} have not spoken" if alert.silent else f"not at {alert.over_at}"
            self._broken(OVER, f"alert {data['alert']} is cleared at {at}, {silent}", event["device"])
        elif milliseconds(data["duration"]) != at - alert.raised_at:
            self._broken(OVER, f"{data['duration']} s are no difference of what the feed tells", event["device"])

    def _cleared_flapping(self, device: str, alert: str, at: int) -> None:
        if self._flapping.pop(device, None) != alert:
            self._broken(FLAPS, f"alert {alert} is cleared, and was not open", device)
        calm = self._changes[device][-self.pace.changes] + milliseconds(self.pace.within)
        if not calm <= at <= calm + self.slack:
            self._broken(FLAPS, f"that it flaps should be over at {calm}, and is at {at}", device)
        if device in self._waiting:
            self._waiting[device] = Span(at, at)

    def _flaps(self, device: str, at: int) -> bool:
        changes = self._changes[device][-self.pace.changes :]
        return len(changes) == self.pace.changes and changes[0] + milliseconds(self.pace.within) > at

    def _end(self) -> None:
        for device in self._waiting:
            self._broken(WINDOW, "it is silent in the end, and nobody was told", device)
        for device in self._to_be_told:
            self._broken(FLAPS, "it flapped, and nobody was told", device)
        for alert in (*self._open, *self._flapping.values()):
            self._broken(OVER, f"alert {alert} is open in the end")

    def _broken(self, promise: str, how: str, device: str | None = None) -> None:
        self.breaches.append(Breach(promise, how, device))

    _READS: Mapping[str, Callable[["Ledger", Json, int], None]] = {
        "device.offline": _offline,
        "device.online": _online,
        "device.signed_off": _online,
        "alert.raised": _raised,
        "alert.cleared": _cleared,
    }


def absences(journal: Iterable[Json]) -> Iterator[tuple[str, Span]]:
    """Who fell silent without a word, and from when until when, as the devices wrote it down."""
    gone: dict[str, int] = {}
    for line in journal:
        at = from_rfc3339(line["time"])
        if line["did"] == "went-offline":
            gone[line["device"]] = at
        elif line["did"] == "came-back" and line["device"] in gone:
            yield line["device"], Span(gone.pop(line["device"]), at)
