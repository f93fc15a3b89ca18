"""Examines one device: why it does not appear, or gets no commands, and the one next step. Pure."""

from collections.abc import Callable, Sequence

from attrs import frozen

from pushd.lib.text import duration
from pushd.pushctl.connection import Json
from pushd.pushctl.doctor.findings import Check, Finding, Status
from pushd.pushctl.output import age, duration_text, field_text, parse_time, time_text
from pushd.pushctl.rejections import is_mended

LONG_GAP = 5.0
"""Seconds between two polls that are worth a warning."""

SHORT_HOLD = 5.0
"""Seconds; a shorter hold means that the device gives up its polls early."""


SERVED_SECONDS = 60.0
"""Seconds since a device was seen within which it still counts as served."""


@frozen(kw_only=True)
class DeviceReport:
    """What is known of a device; ``found`` is what the server has, None if the device is unknown.

    ``rejections`` are those of this device, the newest first; ``now`` is in seconds since the epoch.
    """

    id: str
    found: Json | None
    rejections: Sequence[Json]
    requires_proof: bool
    now: float

    @property
    def last_refused(self) -> Json | None:
        """The newest rejection, if the device was not seen since."""
        newest = self.rejections[0] if self.rejections else None
        return None if newest is None or is_mended(newest, self.found) else newest

    @property
    def is_served(self) -> bool:
        """Whether the device itself seems to be served now."""
        seen = parse_time(self.get("last_seen_at"))
        is_recent = seen is not None and self.now - seen.timestamp() <= SERVED_SECONDS
        return self.polling or (is_recent and self.get("presence") == "online")

    def get(self, name: str) -> object:
        """A field of the device."""
        return None if self.found is None else self.found.get(name)

    @property
    def is_reader(self) -> bool:
        """Whether it is a Control iD device."""
        return self.id.startswith("controlid:")

    @property
    def polling(self) -> bool:
        """Whether a poll is held now."""
        return bool(self.get("polling"))


def examine_device(report: DeviceReport) -> Finding:
    """What is wrong with a device first of all."""
    for examine in _EXAMINATIONS:
        finding = examine(report)
        if finding is not None:
            return finding
    gap = report.get("poll_gap")
    between = f", and reconnects within {gap:.2g} s" if isinstance(gap, int | float) else ""
    held = "its poll is held" if report.polling else f"it was seen {age(report.get('last_seen_at'), report.now)} ago"
    return Finding(Check.DEVICE, Status.OK, f"{report.id} is served: {held}{between}.")


def _refused(report: DeviceReport) -> Finding | None:
    refused = report.last_refused
    if refused is None or report.is_served:
        return None
    return _wrong(f"{report.id} is refused: {_refusal(refused, report)}.", field_text(refused.get("remedy")))


def _refused_beside(report: DeviceReport) -> Finding | None:
    """Another client claims to be the device, or it is refused since a moment ago."""
    refused = report.last_refused
    if refused is None:
        return None
    detail = (
        f"{report.id} was served lately, but a client that claims to be it is refused: {_refusal(refused, report)}."
    )
    return _warning(detail, field_text(refused.get("remedy")))


def _refusal(refused: Json, report: DeviceReport) -> str:
    source = f" from {field_text(refused.get('address'))}" if refused.get("address") else ""
    return f"{field_text(refused.get('reason'))}{source}, {age(refused.get('last_at'), report.now)} ago"


def _unknown(report: DeviceReport) -> Finding | None:
    if report.found is not None:
        return None
    return _wrong(
        f"{report.id} is not known: it has never polled this server, and was not registered.",
        "Check the address in the device, and the network between: 'pushctl doctor --device-url URL' in that network"
        " tries it.",
    )


def _blocked(report: DeviceReport) -> Finding | None:
    if report.get("admission") != "blocked":
        return None
    return _wrong(f"{report.id} is blocked, and gets no commands.", f"pushctl approve {report.id} --unblock")


def _never_seen(report: DeviceReport) -> Finding | None:
    if report.get("last_seen_at") is not None or report.polling:
        return None
    return _wrong(
        f"{report.id} is registered, but has never polled.",
        "Set the address of the device port in the device, and check the network between: 'pushctl doctor"
        " --device-url URL' in that network tries it.",
    )


def _pending(report: DeviceReport) -> Finding | None:
    if report.get("admission") != "pending":
        return None
    return _wrong(
        f"{report.id} polls, but is pending: it gets no commands until it is approved.", f"pushctl approve {report.id}"
    )


def _lacks_proof(report: DeviceReport) -> Finding | None:
    if not report.requires_proof or report.get("proof"):
        return None
    return _wrong(
        f"{report.id} gets no commands: the server demands a proof of identity (--require-proof), and the device has"
        " none.",
        f"pushctl {'provision' if report.is_reader else 'devices secret'} {report.id}",
    )


def _signed_off(report: DeviceReport) -> Finding | None:
    if report.get("presence") != "signed_off":
        return None
    return _wrong(
        f"{report.id} signed off on purpose, at {time_text(report.get('last_seen_at'))}.",
        "Start the program on the device again; it signs on with its next poll.",
    )


def _offline(report: DeviceReport) -> Finding | None:
    if report.get("presence") != "offline" or report.polling:
        return None
    return _wrong(
        f"{report.id} is offline: last seen at {time_text(report.get('last_seen_at'))}, from"
        f" {field_text(report.get('last_address'))}; its heartbeat timeout is"
        f" {duration_text(report.get('heartbeat_timeout'))}.",
        "Check that the device has power and network, and that its address of the server was not changed.",
    )


def _poll_gap(report: DeviceReport) -> Finding | None:
    gap = report.get("poll_gap")
    if not isinstance(gap, int | float) or gap < LONG_GAP:
        return None
    step = "Set push_request_period of the device to 1." if report.is_reader else "Let the client poll again at once."
    return _warning(
        f"{report.id} is not connected for {duration(gap)} between two polls, and receives nothing meanwhile.", step
    )


def _hold(report: DeviceReport) -> Finding | None:
    learned = report.get("learned_hold")
    if report.get("hold") is not None or not isinstance(learned, int | float) or learned >= SHORT_HOLD:
        return None
    return _warning(
        f"{report.id} gives up its polls early: the server has learned to hold them for {learned:.2g} s only.",
        "Set push_request_timeout of the device to 15000, then have the server forget what it has learned: 'pushctl"
        f" devices set {report.id} --clear hold'."
        if report.is_reader
        else "Look for a proxy with a short timeout between the client and the server.",
    )


def _unauthenticated(report: DeviceReport) -> Finding | None:
    if report.get("proof"):
        return None
    return _warning(
        f"{report.id} is served, but has no proof of identity: any client that reaches the port can pose as it.",
        f"pushctl {'provision' if report.is_reader else 'devices secret'} {report.id}",
    )


_EXAMINATIONS: Sequence[Callable[[DeviceReport], Finding | None]] = (
    _blocked,
    _refused,
    _unknown,
    _never_seen,
    _pending,
    _lacks_proof,
    _signed_off,
    _offline,
    _refused_beside,
    _poll_gap,
    _hold,
    _unauthenticated,
)
"""What is most in the way comes first."""


def _wrong(detail: str, next_step: str) -> Finding:
    return Finding(Check.DEVICE, Status.WRONG, detail, next_step)


def _warning(detail: str, next_step: str) -> Finding:
    return Finding(Check.DEVICE, Status.WARNING, detail, next_step)
