"""Alerts: silences that waited for long enough are told."""

from attrs import define

from pushd.core.clocks import Clocks
from pushd.model.alert import Alert, AlertRules
from pushd.store.interface import IStore

SWEEP_LIMIT = 200
"""Silences told in one transaction, so that others need not wait for long."""


@define(eq=False)
class Alerts:
    """Raises what is due, by the rules; lists and acknowledges."""

    store: IStore
    clocks: Clocks
    rules: AlertRules

    async def sweep(self) -> None:
        """Raise the alerts that are due, and clear those of devices that no longer flap."""
        while await self.store.raise_alerts(self.rules, SWEEP_LIMIT, self.clocks.now()) >= SWEEP_LIMIT:
            pass

    async def list_alerts(self, is_open: bool | None, before: int | None, limit: int) -> list[Alert]:
        """Alerts, newest first; see :meth:`IAlertStore.alerts`."""
        return await self.store.alerts(is_open, before, limit)

    async def acknowledge(self, alert: int, by: str) -> Alert:
        """Somebody takes care of an alert.

        :raises UnknownAlert: if there is none.
        """
        return await self.store.acknowledge_alert(alert, by, self.clocks.now())
