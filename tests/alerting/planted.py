"""Planted bugs: the real server, broken in one way, to show that the vigil can find it.

``python -m tests.alerting.planted BUG <what twistd takes>``. The server itself knows nothing of this.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve
from twisted.scripts.twistd import run

from pushd.config import Config
from pushd.core.devices.presence import Presence
from pushd.model.device import PresenceState
from pushd.notifications.webhooks.sender import PostOutcome
from pushd.store.filters import StartupSnapshot
from pushd.store.transaction import Statement
from pushd.store.transactions import offline


def _blaming() -> None:
    """After a start, count everybody as silent since the last process ended, and longer."""
    load = Presence.load

    def blame(self: Presence, snapshot: StartupSnapshot) -> None:
        load(self, snapshot)
        for entry in self._entries.values():
            if entry.state is PresenceState.ONLINE:
                entry.active_at -= entry.timeout
                entry.slot = self.wheel.put(entry, entry.active_at + entry.timeout)

    Presence.load = blame  # type: ignore[method-assign]


def _forgetful() -> None:
    """Forget, over a restart, the offline devices whose grace period is not over."""
    offline._RESTART_ALL = Statement("forget all grace periods", "DELETE FROM pending_outage WHERE :now > 0")


def _splitting() -> None:
    """Tell of each device of a site alone."""
    rules: Any = Config.alert_rules
    Config.alert_rules = property(lambda self: evolve(rules.fget(self), together=10**9))  # type: ignore[assignment, method-assign]


def _loud() -> None:
    """Tell of muted devices, too."""
    offline._is_muted = lambda row, now: False
    offline._BEHIND = evolve(
        offline._BEHIND, sql=offline._BEHIND.sql.replace("COALESCE(muted_until, 0) <= :now", ":now")
    )


def _credulous() -> None:
    """Take every answer of a receiver for thanks, whatever it says."""
    PostOutcome.delivered = property(lambda self: True)  # type: ignore[assignment, method-assign]


BUGS: Mapping[str, Callable[[], None]] = {
    "restart-blames": _blaming,
    "restart-forgets": _forgetful,
    "site-split": _splitting,
    "muted-told": _loud,
    "failure-is-delivery": _credulous,
}


if __name__ == "__main__":
    BUGS[sys.argv.pop(1)]()
    sys.argv[0] = "twistd"
    run()
