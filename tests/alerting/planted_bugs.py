"""Planted bugs: the real server with one defect, to show that the harness finds it.

``python -m tests.alerting.planted_bugs BUG <arguments of twistd>``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from pushd.config import Config
from pushd.core.devices.presence import Presence
from pushd.model.device import PresenceState
from pushd.store.filters import StartupSnapshot
from pushd.store.transaction import Statement
from pushd.store.transactions import offline
from tests.harness.planting import accept_any_status, replace_sql, run_with_bug


def _count_downtime() -> None:
    """After a start, let heartbeat timeouts end at once, as if the devices had been offline during the downtime."""
    load = Presence.load

    def load_expired(self: Presence, snapshot: StartupSnapshot) -> None:
        load(self, snapshot)
        for entry in self._entries.values():
            if entry.state is PresenceState.ONLINE:
                entry.active_at -= entry.timeout
                entry.slot = self.wheel.put(entry, entry.active_at + entry.timeout)

    Presence.load = load_expired  # type: ignore[method-assign]


def _forget_pending() -> None:
    """Forget at a restart the offline devices whose alert window has not ended."""
    offline._RESTART_ALL = Statement("forget all grace periods", "DELETE FROM pending_outage WHERE :now > 0")


def _alert_alone() -> None:
    """Raise an alert for each device of a site."""
    rules: Any = Config.alert_rules
    Config.alert_rules = property(lambda self: evolve(rules.fget(self), together=10**9))  # type: ignore[assignment, method-assign]


def _alert_muted() -> None:
    """Raise alerts for muted devices too."""
    offline._is_muted = lambda row, now: False
    offline._BEHIND = replace_sql(offline._BEHIND, "COALESCE(muted_elapsed, 0) <= :now", ":now")


BUGS: Mapping[str, Callable[[], None]] = {
    "restart-counts-downtime": _count_downtime,
    "restart-forgets-pending": _forget_pending,
    "site-not-grouped": _alert_alone,
    "muted-alerted": _alert_muted,
    "failure-counts-as-delivery": accept_any_status,
}


if __name__ == "__main__":
    run_with_bug(BUGS)
