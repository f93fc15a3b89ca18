"""The end of a run, when nothing is sent any more: what was accepted ends, and no device does anything."""

from pathlib import Path

from twisted.internet.task import deferLater

from tests.harness.admin_api import AdminApi

_QUIET_SECONDS = 2.0
"""A run has settled when no command is open and no device has done anything for so long."""

_STUCK_SECONDS = 20.0
"""A command that is open after so long without any change will stay open: no lease and no command lasts longer."""

_POLL_INTERVAL = 0.25
_OPEN_STATES = ("queued", "sent", "acknowledged")


async def settle(api: AdminApi, devices_journal: Path, until: float) -> None:
    """Wait until nothing changes any more, or until that moment of the API's clock."""
    since, before = api.clock.seconds(), None
    while api.clock.seconds() < until:
        open_commands = [await api.get_all("commands", state=state) for state in _OPEN_STATES]
        now = open_commands, devices_journal.stat().st_size
        if now != before:
            since, before = api.clock.seconds(), now
        if api.clock.seconds() - since > (_STUCK_SECONDS if any(open_commands) else _QUIET_SECONDS):
            return
        await deferLater(api.clock, _POLL_INTERVAL)
