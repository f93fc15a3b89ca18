"""Checks the events against the documented rules: which alert must be raised and cleared after which event, and when.

It uses nothing of the server's implementation. All events of one transaction have the same time, so a rule that says
"at once" is checked exactly.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from attrs import define, field, frozen

from pushd.model.timestamps import from_rfc3339, milliseconds
from tests.alerting.config import SITE_MIN, Timing
from tests.alerting.observations import ServerRestart
from tests.harness.admin_api import Json
from tests.harness.outage_journal import Span

WINDOW = "an offline device is alerted when its alert window ends, not earlier or later"
GROUPING = "five or more offline devices behind one address are one alert, fewer are not"
CLEARING = "an alert is cleared when the last of its devices is online again"
FLAPPING = "a flapping device is alerted once"

CLOCK_DIFFERENCE = 20
"""Milliseconds by which a duration may differ from that of the wall clock, which NTP may adjust meanwhile."""


@frozen
class BrokenPromise:
    """A promise that was broken, how, and for which device; None if it is not about one device."""

    promise: str
    how: str
    device: str | None = None


@define(eq=False, kw_only=True)
class _OpenAlert:
    """An alert that is raised and not yet cleared."""

    offline: set[str]
    """Its devices that have not come back yet."""
    raised_at: int
    due_at: int | None = None
    """When it must be cleared."""


@define(eq=False)
class ExpectedEvents:
    """Reads all events in order; ``broken`` are the promises that they break. ``tolerance`` is in milliseconds."""

    devices: Mapping[str, Json]
    """The schedule's entry of each device."""
    timing: Timing
    tolerance: int
    restart: ServerRestart | None
    broken: list[BrokenPromise] = field(factory=list, init=False)
    groups: int = field(default=0, init=False)
    """How many alerts were about several devices."""
    pending_at_kill: int = field(default=0, init=False)
    """How many devices waited out their alert window when the server was killed."""
    _pending: dict[str, Span] = field(factory=dict, init=False)
    """Offline devices without an alert, and when their alert window began."""
    _changes: defaultdict[str, list[int]] = field(factory=lambda: defaultdict(list), init=False)
    _flapping: dict[str, str] = field(factory=dict, init=False)
    """Flapping devices, with the alert about that."""
    _flapping_due: dict[str, int] = field(factory=dict, init=False)
    """Devices about which a flapping alert must be raised at this moment."""
    _open: dict[str, _OpenAlert] = field(factory=dict, init=False)
    _restarted: bool = field(default=False, init=False)

    def check(self, events: Iterable[Json]) -> None:
        """Check all events."""
        for event in events:
            at = from_rfc3339(event["at"])
            self._restart(at)
            check = self._CHECKS.get(event["type"])
            if check is not None:
                check(self, event, at)
        self._check_end()

    def _restart(self, at: int) -> None:
        """After a restart, alert windows begin again."""
        if self.restart is None or self._restarted or at < self.restart.started_at:
            return
        self._restarted = True
        self.pending_at_kill = len(self._pending)
        self._pending = dict.fromkeys(self._pending, Span(self.restart.started_at, self.restart.ready_at))

    def _offline(self, event: Json, at: int) -> None:
        device = event["device"]
        if self.devices[device]["role"] == "muted":
            return
        self._pending[device] = Span(at, at)
        self._changes[device].append(at)
        if self._is_flapping(device, at) and device not in self._flapping:
            self._flapping_due[device] = at

    def _online(self, event: Json, at: int) -> None:
        device = event["device"]
        if event["data"].get("after") == "offline":
            self._changes[device].append(at)
        since = self._pending.pop(device, None)
        if since is not None and device not in self._flapping:
            self._check_not_overdue(device, since, at)
        for alert in self._open.values():
            if device in alert.offline:
                alert.offline.remove(device)
                if not alert.offline:
                    alert.due_at = at

    def _check_not_overdue(self, device: str, since: Span, at: int) -> None:
        if at - since.latest > milliseconds(self.timing.window) + self.tolerance:
            self._break(WINDOW, f"it was offline for {at - since.latest} ms without an alert", device)

    def _raised(self, event: Json, at: int) -> None:
        data = event["data"]
        if data["kind"] == "flapping":
            self._raised_flapping(event["device"], data["alert"], at)
        elif data["kind"] in ("offline", "site_offline"):
            self._check_kind(data)
            self._raised_offline(data["devices"], data.get("address"), at)
            self._open[data["alert"]] = _OpenAlert(offline=set(data["devices"]), raised_at=at)

    def _check_kind(self, data: Json) -> None:
        if (data["kind"] == "site_offline") != (data.get("address") is not None):
            self._break(GROUPING, f"an alert of kind {data['kind']} has the address {data.get('address')}")

    def _raised_offline(self, devices: list[str], address: str | None, at: int) -> None:
        for device in devices:
            if device not in self._pending or device in self._flapping:
                self._break(WINDOW, "an alert was raised, but no alert window was running", device)
        self._check_grouping(devices, address)
        spans = [self._pending.pop(device) for device in devices if device in self._pending]
        if not spans:
            return
        window = milliseconds(self.timing.window)
        first = Span(min(span.earliest for span in spans), min(span.latest for span in spans))
        if at < first.earliest + window - CLOCK_DIFFERENCE:
            self._break(WINDOW, f"alerted {first.earliest + window - at} ms before its window ended", devices[0])
        if at > first.latest + window + self.tolerance:
            self._break(WINDOW, f"alerted {at - first.latest - window} ms after its window ended", devices[0])

    def _check_grouping(self, devices: list[str], address: str | None) -> None:
        own = self.devices[devices[0]]["address"]
        behind = {
            device
            for device in self._pending
            if self.devices[device]["address"] == own and device not in self._flapping
        }
        if address is None and (len(devices) > 1 or len(behind) >= SITE_MIN):
            self._break(GROUPING, f"alerted alone, but {len(behind)} devices are offline behind {own}", devices[0])
        if address is not None and (set(devices) != behind or address != own or len(devices) < SITE_MIN):
            how = f"the alert lists {len(devices)} devices behind {address}, and {len(behind)} are offline"
            self._break(GROUPING, how, devices[0])
        self.groups += len(devices) > 1

    def _raised_flapping(self, device: str, alert: str, at: int) -> None:
        if self._flapping_due.pop(device, None) != at:
            self._break(FLAPPING, "alerted as flapping, but did not begin to flap at this moment", device)
        self._flapping[device] = alert

    def _cleared(self, event: Json, at: int) -> None:
        data = event["data"]
        if data["kind"] == "flapping":
            self._cleared_flapping(event["device"], data["alert"], at)
            return
        alert = self._open.pop(data["alert"], None)
        if alert is None:
            self._break(CLEARING, f"alert {data['alert']} is cleared, but was not open", event["device"])
        elif alert.due_at != at:
            why = f"{len(alert.offline)} devices are offline" if alert.offline else f"it was due at {alert.due_at}"
            self._break(CLEARING, f"alert {data['alert']} is cleared at {at}, but {why}", event["device"])
        elif abs(milliseconds(data["duration"]) - (at - alert.raised_at)) > CLOCK_DIFFERENCE:
            how = f"a duration of {data['duration']} s, but {at - alert.raised_at} ms passed since it was raised"
            self._break(CLEARING, how, event["device"])

    def _cleared_flapping(self, device: str, alert: str, at: int) -> None:
        if self._flapping.pop(device, None) != alert:
            self._break(FLAPPING, f"alert {alert} is cleared, but was not open", device)
        due = self._changes[device][-self.timing.changes] + milliseconds(self.timing.within)
        if not due <= at <= due + self.tolerance:
            self._break(FLAPPING, f"alert {alert} was due to be cleared at {due}, but was cleared at {at}", device)
        if device in self._pending:
            self._pending[device] = Span(at, at)

    def _is_flapping(self, device: str, at: int) -> bool:
        changes = self._changes[device][-self.timing.changes :]
        return len(changes) == self.timing.changes and changes[0] + milliseconds(self.timing.within) > at

    def _check_end(self) -> None:
        for device in self._pending:
            self._break(WINDOW, "it is offline at the end without an alert", device)
        for device in self._flapping_due:
            self._break(FLAPPING, "it flapped without an alert", device)
        for alert in (*self._open, *self._flapping.values()):
            self._break(CLEARING, f"alert {alert} is open at the end")

    def _break(self, promise: str, how: str, device: str | None = None) -> None:
        self.broken.append(BrokenPromise(promise, how, device))

    _CHECKS: Mapping[str, Callable[["ExpectedEvents", Json, int], None]] = {
        "device.offline": _offline,
        "device.online": _online,
        "device.signed_off": _online,
        "alert.raised": _raised,
        "alert.cleared": _cleared,
    }
