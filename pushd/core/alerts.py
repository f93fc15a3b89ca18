"""Raise the alerts that are due, and acknowledge alerts."""

from attrs import define

from pushd.core.clocks import Clocks
from pushd.model.alert import Alert, AlertRules
from pushd.model.epochs import Epochs
from pushd.model.errors import UnknownAlert
from pushd.store.interface import IStore

SWEEP_LIMIT = 200
"""Offline devices that one transaction raises alerts for, so that other transactions need not wait for long."""


@define(eq=False)
class Alerts:
    """Alerts of offline and flapping devices, by the ``rules``."""

    store: IStore
    clocks: Clocks
    rules: AlertRules
    epochs: Epochs

    async def sweep(self) -> None:
        """Raise the alerts that are due, and clear those of devices that no longer flap."""
        while await self.store.raise_alerts(self.rules, SWEEP_LIMIT, self.clocks.now()) >= SWEEP_LIMIT:
            pass

    async def acknowledge(self, alert: str, by: str) -> Alert:
        """Acknowledge an alert, which stops its reminders.

        :raises UnknownAlert: if there is none.
        """
        number = self.epochs.alert_number(alert)
        if number is None:
            raise UnknownAlert(f"No alert {alert} is known; it may have been purged.")
        return await self.store.acknowledge_alert(number, by, self.clocks.now())
