"""Raise the alerts that are due, and acknowledge alerts."""

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from pushd.core.clocks import Clocks
from pushd.model.actor import Actor
from pushd.model.alert import Alert, AlertRules
from pushd.model.epochs import Epochs
from pushd.model.errors import NotPermitted, UnknownAlert
from pushd.store.filters import IView
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
        while await self.store.raise_alerts(self.rules, SWEEP_LIMIT) >= SWEEP_LIMIT:
            pass

    async def get(self, alert: str, view: IView | None = None) -> Alert:
        """An alert by its public id, with those of its devices that are in view.

        :raises UnknownAlert: if there is none, or none of its devices is in view.
        """
        with self._known(alert) as number:
            if view is None:
                return await self.store.alert(number)
            found, _ = await self.store.alert_in_scope(number, view.covers)
            return found

    async def acknowledge(self, alert: str, by: Actor, view: IView | None = None) -> Alert:
        """Acknowledge an alert, which stops its reminders.

        :raises UnknownAlert: if there is none, or none of its devices is in view.
        :raises NotPermitted: if only some of its devices are.
        """
        with self._known(alert) as number:
            if view is not None:
                _, is_whole = await self.store.alert_in_scope(number, view.covers)
                if not is_whole:
                    raise NotPermitted("The alert is also about devices that are out of the token's scope.")
            return await self.store.by(by).acknowledge_alert(number, by.name)

    @contextmanager
    def _known(self, alert: str) -> Iterator[int]:
        """Look for an alert by its number; if there is none, the error names the public id."""
        number = self.epochs.alert_number(alert)
        try:
            if number is None:
                raise UnknownAlert
            yield number
        except UnknownAlert:
            raise UnknownAlert(f"No alert {alert} is known; it may have been purged.") from None
